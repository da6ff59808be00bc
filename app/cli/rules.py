"""guerdon rules …: try rules on the ledger before they go live; pay a rule's past."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app.cli.context import count, open_configured, show_progress
from app.cli.reports import MOMENT, count_ms
from app.counting.forecasting import forecast_day, list_ceilings, sum_amounts
from app.counting.kept_facts import list_lost_facts
from app.counting.programme import Programme
from app.counting.trial import Result, Trial
from app.guerdon import Guerdon
from app.paying.backfilling import Backfill
from app.porch.errors import GuerdonError
from app.rules.reading import read_rules
from app.terminal import tell


@click.group()
def rules() -> None:
    """Try rules on the ledger, and pay a rule's past."""


@rules.command("try")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", type=MOMENT, help="only what was settled at this time or later, UTC")
@click.option("--until", type=MOMENT, help="only what was settled before this time, UTC")
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def try_rules(file: Path, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """What the rules in FILE would have paid for the events of the ledger; it writes nothing."""
    guerdon = open_configured()
    trial = Trial(make_programme(guerdon, file), count_ms(since) or 0, count_ms(until))
    with guerdon.database.connection_context():
        rules = trial.programme.rules
        if lost := list(list_lost_facts(guerdon.database, rules, counted_only=False)):
            raise GuerdonError("; ".join(lost))
        trial.run(guerdon.database, show_progress)
    if as_json:
        tell(*json.dumps(describe_trial(trial), indent=1).split("\n"))
        return
    tell(f"{count(trial.events, 'event')} on {count(len(trial.days), 'day')}; nothing was written")
    for result in trial.results.values():
        tell(*list_lines(result, trial))
    tell(*list_ceilings(trial.programme.rules))
    if any(rule.player_where for rule in trial.programme.rules.all):
        tell(
            "what players were then (where player.…) is known where the same rule asked it; else it is"
            " taken to hold"
        )


def make_programme(guerdon: Guerdon, file: Path) -> Programme:
    """The rules of a file, with the secret of this service's draws."""
    read = read_rules(file, guerdon.plugins.kinds)
    return guerdon.bookkeeping.complete(Programme(read))


def list_lines(result: Result, trial: Trial) -> list[str]:
    """A rule's result in a few lines."""
    usual, busy = forecast_day(result, trial.days)
    lines = [
        f'"{result.rule}": {count(result.times, "time")}, to {count(len(result.players), "player")};'
        f" the ledger has {result.paid}"
    ]
    sums = [f"{name} {amount}" for name, amount in sum_amounts(result).items()]
    if sums:
        lines.append(f"  gives {', '.join(sums)}")
    if result.by_day:
        day, most = max(result.by_day.items(), key=lambda one: (one[1], one[0]))
        lines.append(
            f"  busiest day {day} with {most}; to expect on a day: {usual:g}, at most times {busy:g}"
        )
    if result.more or result.less:
        lines.append(
            f"  differs from what was paid: {result.more} events oftener, {result.less} less often, as"
            f" {'; '.join(result.examples)}"
        )
    return lines


def describe_trial(trial: Trial) -> dict[str, Any]:
    """The same for a program."""
    return {
        "events": trial.events,
        "days": len(trial.days),
        "rules": [describe_result(result, trial) for result in trial.results.values()],
        "ceilings": list_ceilings(trial.programme.rules),
    }


def describe_result(result: Result, trial: Trial) -> dict[str, Any]:
    usual, busy = forecast_day(result, trial.days)
    busiest = max(result.by_day.items(), key=lambda one: (one[1], one[0]), default=None)
    return {
        "rule": result.rule, "times": result.times, "players": len(result.players),
        "sums": sum_amounts(result), "paid": result.paid, "more": result.more, "less": result.less,
        "busiest_day": {"day": str(busiest[0]), "times": busiest[1]} if busiest else None,
        "per_day": {"median": usual, "percentile_95": busy}, "examples": result.examples,
    }  # fmt: skip


@rules.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="pay without asking")
def backfill(name: str, yes: bool) -> None:
    """Pay the rule NAME for the events of before it was there: a plan first, then once for ever."""
    guerdon = open_configured()
    rule = next((one for one in guerdon.rules.all if one.name == name), None)
    if rule is None:
        names = ", ".join(f'"{one.name}"' for one in guerdon.rules.all) or "none"
        raise GuerdonError(f'there is no rule "{name}" (there are: {names})')
    guerdon.require_fit_database()
    planned = Backfill(
        guerdon.database, guerdon.bookkeeping.complete(guerdon.programme), guerdon.settler, rule
    )
    guerdon.bookkeeping.fill_in(show_progress)
    with guerdon.database.connection_context():
        plan = planned.plan(show_progress)
    if not plan:
        tell(f'there is nothing that "{name}" has not paid')
        return
    players = len({one.user_id for one in plan})
    times = sum(one.data["times"] for one in plan)
    tell(f'"{name}" would pay {count(times, "time")}, to {count(players, "player")}')
    if yes or click.confirm("Pay them?", abort=True):
        paid, troubles = planned.pay(plan, show_progress)
        tell(f"paid for {count(paid, 'event')}", *troubles)
        if troubles:
            raise SystemExit(1)
