"""guerdon counters, draws, top, rankings, parties: look at what is counted, verify it, close by hand."""

from datetime import datetime

import click

from app.cli.context import count, open_configured, show_progress
from app.cli.reports import MOMENT, count_ms
from app.counting.boards import UNITS, read_period
from app.counting.drawn import verify_draws
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError
from app.rules.calendar import Unit
from app.rules.drawing import find_commitment
from app.rules.rule import Rule
from app.terminal import tell

SHOWN = 20  # differences


@click.group()
def counters() -> None:
    """What was counted of each player: verify it by the ledger, or count it anew."""


@counters.command()
def verify() -> None:
    """Count everybody anew and compare; exit 1 where something differs. Votes are paid meanwhile."""
    found = open_configured().bookkeeping.recounter.verify(show_progress)
    tell(*found[:SHOWN], err=True)
    if len(found) > SHOWN:
        tell(f"and {len(found) - SHOWN} more", err=True)
    if found:
        tell("`guerdon counters rebuild` puts what the ledger says in its place", err=True)
        raise SystemExit(1)
    tell("all counters are what the ledger says")


@counters.command()
def rebuild() -> None:
    """Put what the ledger says in the place of every counter. Votes are paid meanwhile."""
    guerdon = open_configured()
    tell(f"counted {count(guerdon.bookkeeping.rebuild(show_progress), 'player')} anew")


@click.group()
def draws() -> None:
    """The draws of give_one."""


@draws.command("verify")
@click.option("--since", type=MOMENT, help="only events settled at this time or later, UTC")
def verify_all(since: datetime | None) -> None:
    """Draw everything again from secret, rule and event; exit 1 where the ledger has another."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        secrets = guerdon.bookkeeping.list_secrets()
        checked = list(verify_draws(guerdon.database, secrets, count_ms(since) or 0))
    faults = [f'{one.event}, rule "{one.rule}": {one.fault}' for one in checked if one.fault]
    unknown = sum(not one.is_known for one in checked)
    tell(*faults, err=True)
    if unknown:
        tell(
            f"{count(unknown, 'draw')} by a secret that is not in [rewards] draw_secrets", err=True
        )
    tell(f"{count(len(checked) - len(faults) - unknown, 'draw')} drawn again, and the same")
    for secret in secrets:
        tell(f"SHA-256 of the secret: {find_commitment(secret)}")
    if faults or unknown:
        raise SystemExit(1)


@click.command()
@click.option("--in", "unit", type=click.Choice([str(one) for one in UNITS]), default="month",
              show_default=True, help="of which period")  # fmt: skip
@click.option("--period", help="another than this one, as 2026-11")
@click.option("--server", help="only votes for this server")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
def top(unit: str, period: str | None, server: str | None, limit: int) -> None:
    """Who has voted most."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        board = guerdon.showing.list_board(Unit(unit), period, server, limit, guerdon.now())
    for one in board:
        tell(f"{one['place']:4}  {one['nickname']}  {one['votes']}")
    if not board:
        tell("nobody has voted then")


@click.group()
def rankings() -> None:
    """Rankings, which close by themselves an hour after their period."""


@rankings.command()
@click.argument("rule")
@click.argument("period")
def close(rule: str, period: str) -> None:
    """Close the PERIOD of a RULE's ranking now, as 2026-11; it is paid once, however often it is closed."""
    guerdon = open_configured()
    found = find_rule(guerdon, rule, "ranking")
    assert found.ranking is not None
    unit = found.ranking.unit
    named = str(unit) if unit == Unit.SEASON else f"{unit}:{period}"
    if unit != Unit.SEASON:
        read_period(guerdon.rules.calendar, unit, period, guerdon.now())  # raises where it is none
    if guerdon.now() < guerdon.rankings.find_end(found, named):
        raise GuerdonError(f"{period} is not over yet: votes would miss it")
    if not guerdon.rankings.close(found, named):
        raise GuerdonError(f"{period} was closed already")
    tell("closed, and paid; whom it could not pay waits in the inbox")


@click.group()
def parties() -> None:
    """Parties, whose rounds begin by themselves."""


@parties.command()
@click.argument("rule")
def start(rule: str) -> None:
    """Make a round of a RULE's party of the votes that there are."""
    guerdon = open_configured()
    votes = guerdon.parties.start_by_hand(find_rule(guerdon, rule, "party"))
    if not votes:
        raise GuerdonError("nobody has voted since the last round")
    tell(f"a round of {count(votes, 'vote')}, and paid; whom it could not pay waits in the inbox")


def find_rule(guerdon: Guerdon, name: str, key: str) -> Rule:
    """The rule of this name, which has this key; it is paid in this process.

    Raises GuerdonError where there is none, DatabaseUnavailable where nobody may pay now.
    """
    guerdon.require_fit_database()
    fitting = [rule for rule in guerdon.rules.all if getattr(rule, key)]
    found = next((rule for rule in fitting if rule.name == name), None)
    if found is None:
        names = ", ".join(f'"{rule.name}"' for rule in fitting) or "none"
        raise GuerdonError(f'there is no rule "{name}" with {key} (there are: {names})')
    return found
