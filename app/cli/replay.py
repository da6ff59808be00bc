"""guerdon replay …, acts …, causes: what is stuck and why; many tried again by a plan; who did what."""

import json
from datetime import datetime

import click

from app.cli.context import count, find_person, open_configured
from app.cli.following import do_plan
from app.cli.pages import tell_page
from app.cli.reports import MOMENT, count_ms
from app.guerdon import Guerdon
from app.history.acts import ActRecord
from app.history.causes import Cause, Causes
from app.history.causes import list_causes as find_causes
from app.history.filters import EventFilter, ReportFilter
from app.history.states import EventState, ReportState
from app.porch.errors import GuerdonError
from app.porch.text import format_time
from app.terminal import tell
from app.upkeep.planning import Plan

SINCE = click.option("--since", type=MOMENT, help="that came at this time or later, UTC")
UNTIL = click.option("--until", type=MOMENT, help="that came before this time, UTC")
CAUSE = click.option("--cause", default="", help="that `guerdon causes` shows under this name")
REASON = click.option("--reason", default="", metavar="TEXT", help="why, kept with it")
LIMIT = click.option("--limit", type=click.IntRange(1), help="at most so many, the first that came")
BY = click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
YES = click.option("--yes", is_flag=True, help="do not ask")


@click.group()
def replay() -> None:
    """Have many tried again: a plan with the exact number first, then just these."""


@replay.command("events")
@click.option("--state", type=click.Choice(["dead", "waiting"]), default="dead", show_default=True)
@click.option("--type", default="", help="of this type, as server.vote")
@click.option("--source", default="", help="from this source")
@CAUSE
@SINCE
@UNTIL
@REASON
@LIMIT
@BY
@YES
def replay_events(
    state: str, type: str, source: str, cause: str, since: datetime | None, until: datetime | None,
    reason: str, limit: int | None, by: str | None, yes: bool,
) -> None:  # fmt: skip
    """Have dead, or waiting, events tried again at once."""
    chosen = EventFilter(
        EventState(state), type, source, since=count_ms(since), until=count_ms(until), cause=cause
    )
    replay_chosen(chosen, find_person(by), reason, limit, yes)


@replay.command("reports")
@click.option("--state", type=click.Choice(["dead", "waiting"]), default="dead", show_default=True)
@click.option("--reporter", default="", help="of this one")
@click.option("--kind", default="", help="of this kind")
@CAUSE
@SINCE
@UNTIL
@REASON
@LIMIT
@BY
@YES
def replay_reports(
    state: str, reporter: str, kind: str, cause: str, since: datetime | None, until: datetime | None,
    reason: str, limit: int | None, by: str | None, yes: bool,
) -> None:  # fmt: skip
    """Have dead reports sent again by their whole schedule, or those that wait at once."""
    chosen = ReportFilter(
        ReportState(state), reporter, kind, count_ms(since), count_ms(until), cause
    )
    replay_chosen(chosen, find_person(by), reason, limit, yes)


def replay_chosen(
    chosen: EventFilter | ReportFilter, person: str, reason: str, limit: int | None, yes: bool
) -> None:
    acts = open_configured().acts
    plan = acts.plan_act(chosen, person, reason, limit)
    what = "event" if isinstance(chosen, EventFilter) else "report"
    tell_plan(plan, what)
    if not plan.count or not (yes or click.confirm("Try them again?", abort=True)):
        return
    act = do_plan(acts, plan.id)
    tell(f"act {act.id}: {count(act.done, what)} will be tried again at once")
    if act.done < act.number:
        tell(f"{count(act.number - act.done, what)} had moved on before it came to them")


def tell_plan(plan: Plan, what: str) -> None:
    tell(f"{count(plan.count, what)} by {plan.about}")
    if plan.count:
        times = f"from {format_time(plan.oldest)} to {format_time(plan.newest)}"
        tell(f"  came {times}; the highest id is {plan.ceiling}")
    for words, number in plan.reasons:
        tell(f"  {number:,}: {words or 'no try yet'}")
    if not plan.is_whole:
        tell("  there are more: one act takes no more than these, so run this again afterwards")


@click.group(invoke_without_command=True)
@click.pass_context
def acts(context: click.Context) -> None:
    """What people did and have had done: who, when, to how many."""
    if context.invoked_subcommand is None:
        context.invoke(list_acts, before=None, limit=20, as_json=False)


@acts.command("list")
@click.option("--before", help="the page after another: what that page said")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def list_acts(before: str | None, limit: int, as_json: bool) -> None:
    """The latest acts."""
    page = open_configured().acts.list_acts(before, limit)
    tell_page("acts", page, as_json, map(write_act, page.rows))


def write_act(one: ActRecord) -> str:
    reason = f"  ({one.reason})" if one.reason else ""
    return (
        f"{format_time(one.started_at or one.planned_at)}  {one.id:>6}  {one.state:8} {one.what}"
        f"  {one.done:,} of {one.number:,}  by {one.person}  {one.about}{reason}"
    )


@acts.command("show")
@click.argument("id", type=int)
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def show_act(id: int, as_json: bool) -> None:
    """One act, and how far it is."""
    act = open_configured().acts.find(id)
    if act is None:
        raise GuerdonError(f"there is no act {id}")
    if as_json:
        tell(json.dumps(act.describe()))
        return
    for name, value in act.describe().items():
        if value is not None:
            tell(f"{name}: {value}")


@acts.command("stop")
@click.argument("id", type=int)
@BY
def stop_act(id: int, by: str | None) -> None:
    """End an act where it is; what it has done stays done."""
    person = find_person(by)
    act = open_configured().acts.stop(id, person)
    tell(f"act {id} is stopped: {act.done:,} of {act.number:,} are done")


@click.command("causes")
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def causes(as_json: bool) -> None:
    """What is stuck, and why: all that waits or is dead, by what its last error says."""
    guerdon: Guerdon = open_configured()
    found = find_causes(guerdon.database)
    if as_json:
        tell(json.dumps(found.describe()))
        return
    if not found.all:
        tell("nothing waits, and nothing is dead")
    for one in found.all:
        tell(*write_cause(one))
    tell(*list_gaps(found))


def write_cause(one: Cause) -> list[str]:
    return [
        f"{one.dead:,} dead, {one.waiting:,} waiting: {one.box} of {one.of}: {one.words or 'no try yet'}",
        f"    from {format_time(one.oldest)} to {format_time(one.newest)}, by {one.filter}",
    ]


def list_gaps(found: Causes) -> list[str]:
    """What is not told, if anything."""
    gaps = [f"and {count(found.left_out, 'cause')} more"] if found.left_out else []
    if not found.is_whole:
        gaps.append(f"only {found.read:,} rows were looked at: there are more")
    return gaps
