"""guerdon reconcile: the vote sites' lists beside the ledger."""

from datetime import datetime
from typing import Any

import click

from app.cli.context import count, find_person, open_configured
from app.cli.reports import MOMENT, count_ms
from app.database.reconciliation_models import Reconciliation
from app.guerdon import Guerdon
from app.history.reconciliations import describe_reconciliation
from app.porch.errors import GuerdonError
from app.porch.json import dump_json
from app.porch.text import format_time
from app.reconciling.reconciler import Result
from app.reconciling.results import describe_found
from app.terminal import tell

MISSING, NOT_KNOWN = 3, 4  # exit codes
SHOWN = 20  # of each kind


@click.command()
@click.option("--since", type=MOMENT, help="only votes made at this time or later, UTC")
@click.option("--heal", is_flag=True, help="have what is missing fetched and paid")
@click.option("--source", help="only this one's list")
@click.option(
    "--server", multiple=True, help="also this server's votes, where the ledger has none yet"
)
@click.option("--by", help="who says so; by default whoever is logged in")
@click.option("--json", "as_json", is_flag=True, help="a line of JSON for each list, with all ids")
def reconcile(
    since: datetime | None,
    heal: bool,
    source: str | None,
    server: tuple[str, ...],
    by: str | None,
    as_json: bool,
) -> None:
    """Compare the vote sites' lists with the ledger.

    Exit 0: nothing is missing; 3: something was; 4: a list does not say. Without --heal nothing is changed
    but the note of this comparison.
    """
    guerdon = open_configured()
    guerdon.require_fit_database()
    person = find_person(by)
    results = [
        guerdon.reconciler.reconcile(one, count_ms(since), heal, person, server)
        for one in choose_sources(guerdon, source)
    ]
    for result in results:
        if as_json:
            whole = describe_found(result.found, result.row.listed + result.row.unknown)
            tell(dump_json({**describe_reconciliation(result.row), "found": whole}))
        else:
            tell_result(result)
    if any(result.row.missing for result in results):
        raise SystemExit(MISSING)
    if any(result.row.reason for result in results):
        raise SystemExit(NOT_KNOWN)


def choose_sources(guerdon: Guerdon, source: str | None) -> list[str]:
    """The sources to compare; GuerdonError where there is none."""
    sources = guerdon.reconciler.sources
    if source is not None and source not in sources:
        names = ", ".join(sources) or "none"
        raise GuerdonError(f"the source {source} has no list (there are: {names})")
    if not sources:
        raise GuerdonError("no source has a list: no plugin of [plugins] answers list_votes")
    return [source] if source else sources


def tell_result(result: Result) -> None:
    """What was found, in words; ids of the first of each kind."""
    row, found = result.row, result.found
    tell(f"{row.source} since {format_time(row.since)}: {count(row.listed, 'vote')} listed")
    if row.reason:
        tell(f"  whether there are more is not known: {row.reason}")
    tell(f"  missing here: {row.missing}{tell_healing(row)}")
    tell_some([f"{describe(one.delivery.id, one.server_id, one.occurred_at)}  {one.nickname}"
               for one in found.missing])  # fmt: skip
    tell(f"  waiting here: {row.waiting}")
    tell(f"  with other facts here: {row.differs}")
    tell_some([f"{one.delivery.id}  {how}" for one, how in found.differing])
    if not row.reason:
        tell(f"  unknown there: {row.unknown}")
    tell_some([describe(one.id, one.server_id, one.occurred_at) for one in found.unknown])


def tell_healing(row: Reconciliation) -> str:
    if row.heals:
        return f"; {row.healed} put into the inbox, where they are fetched and paid"
    return "; `guerdon reconcile --heal` has them fetched and paid" if row.missing else ""


def describe(id: str, server: str, occurred_at: Any) -> str:
    return "  ".join(
        filter(None, [id, f"server {server}" if server else "", format_time(occurred_at)])
    )


def tell_some(lines: list[str]) -> None:
    tell(*(f"    {line}" for line in lines[:SHOWN]))
    if len(lines) > SHOWN:
        tell(f"    and {len(lines) - SHOWN} more: --json has them all")
