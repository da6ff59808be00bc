"""guerdon claims …: what is to be given out, and what a person decides where nobody else knows."""

import click

from app.cli.context import find_person, open_configured
from app.cli.pages import tell_page
from app.delivering.resolving import OPEN, ListedClaim, Verdict, list_claims, resolve_claim
from app.porch.claims import ClaimState
from app.porch.json import dump_json
from app.porch.text import format_time, shorten
from app.terminal import tell

LARGEST_ID = 2**63 - 1


@click.group()
def claims() -> None:
    """Look at claims, and decide about those of which nobody knows whether they were given out."""


@claims.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in ClaimState]),
    help="only these; else all that are not done",
)  # fmt: skip
@click.option("--before", help="the page after another: what that page said")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def list_them(state: str | None, before: str | None, limit: int, as_json: bool) -> None:
    """The latest claims."""
    guerdon = open_configured()
    states = (ClaimState(state),) if state else OPEN
    page = list_claims(guerdon.database, states, guerdon.now(), before, limit)
    tell_page("claims", page, as_json, map(write_claim, page.rows))


def write_claim(one: ListedClaim) -> str:
    whom = shorten(one.nickname) if one.nickname else "the server"
    sent = f"  sent {format_time(one.sent_at)}" if one.sent_at else ""
    why = f"  {one.last_error}" if one.last_error else ""
    answer = f"  answered: {one.answer}" if one.answer else ""
    return (
        f"{format_time(one.created_at)}  {one.id:>6}  {one.state:8}  server {one.server_id}"
        f"  {whom}  {dump_json(one.payload)}{sent}{why}{answer}"
    )


@claims.command("resolve")
@click.argument("id", type=click.IntRange(1, LARGEST_ID))
@click.argument("verdict", type=click.Choice([one.value for one in Verdict]))
@click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
def resolve(id: int, verdict: str, by: str | None) -> None:
    """Say that a claim was `given`, or that it is to be sent `again`; also one that waits or was refused."""
    guerdon = open_configured()
    resolve_claim(guerdon.database, id, Verdict(verdict), find_person(by), guerdon.now())
    is_given = verdict == Verdict.GIVEN
    tell(f"claim {id} is done" if is_given else f"claim {id} will be delivered again")
