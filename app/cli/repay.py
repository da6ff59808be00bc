"""guerdon events repay: pay what was settled with no grant, by today's rules, once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import click

from app.cli.context import count, find_person, open_configured, show_progress
from app.cli.reports import MOMENT, count_ms
from app.guerdon import Guerdon
from app.history.acts import begin_act, end_act
from app.history.filters import EventFilter
from app.history.timeline import describe_event, list_repayments
from app.history.unpaid import cut_chunks, find_family, read_unpaid_rows
from app.paying.repaying import Repaid, Repayer
from app.porch.errors import GuerdonError
from app.terminal import tell

AT_ONCE = 50  # events in one transaction: votes that come meanwhile wait for some milliseconds
PROBLEMS_SHOWN = 20
REPAY = "repay events"


@click.command("repay")
@click.argument("type", required=False)
@click.argument("id", required=False)
@click.option("--since", type=MOMENT, help="all that were settled at this time or later, UTC")
@click.option("--until", type=MOMENT, help="only those settled before this time, UTC")
@click.option("--type", "only_type", metavar="TYPE", help="only those of this type")
@click.option("--earned-nothing", is_flag=True, help="those without a grant: there are no others")
@click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
@click.option("--yes", is_flag=True, help="do not ask")
def repay(
    type: str | None,
    id: str | None,
    since: datetime | None,
    until: datetime | None,
    only_type: str | None,
    earned_nothing: bool,
    by: str | None,
    yes: bool,
) -> None:
    """Pay what was settled with no grant by today's rules, once: one event, or all since a time.

    An event that has a grant, or was repaid, is never paid again; one that today's rules give nothing
    for stays as it is. Of a round, each player's part is looked at.
    """
    is_bulk = since is not None and earned_nothing
    if is_bulk == bool(type and id) or (not is_bulk and (since or until or only_type)):
        raise click.UsageError("name one event by TYPE and ID, or say --since T --earned-nothing")
    person = find_person(by)
    guerdon = open_configured()
    guerdon.require_fit_database()
    repayer = guerdon.make_repayer(person)
    if is_bulk:
        plan = make_plan(repayer, count_ms(since) or 0, count_ms(until), only_type)
        tell(*plan.describe())
        if plan.rows and (yes or click.confirm("Pay them?", abort=True)):
            chosen = EventFilter(type=only_type or "", since=count_ms(since), until=count_ms(until))
            with keep_act(guerdon, person, str(chosen), len(plan.rows)) as done:
                repay_all(repayer, plan.rows, done)
            if problems := done["problems"]:
                raise GuerdonError(
                    f"{count(problems, 'event')} could not be paid: run this again later"
                )
    else:
        repay_one(guerdon, repayer, str(type), str(id), person)


@contextmanager
def keep_act(guerdon: Guerdon, person: str, about: str, number: int) -> Iterator["Counter[str]"]:
    """What is done within is kept as an act of this person: to how many, by the number in "repaid"."""
    database, done = guerdon.database, Counter[str]()
    act = begin_act(database, person, REPAY, about, number, guerdon.now())
    error = "it was cut off"
    try:
        yield done
        error = ""
    finally:
        end_act(database, act, done["repaid"], guerdon.now(), error)


def repay_one(guerdon: Guerdon, repayer: Repayer, type: str, id: str, person: str) -> None:
    with guerdon.database.connection_context():
        family = find_family(guerdon.database, guerdon.sources, type, id)
        unpaid = read_unpaid_rows(guerdon.database, family) if family else []
        if not unpaid:
            raise GuerdonError(explain_refusal(guerdon, type, id, family))
    with keep_act(guerdon, person, f"{type} {id}", len(unpaid)) as done:
        repaid = [
            one
            for rows in cut_chunks([one.row for one in unpaid], AT_ONCE)
            for one in repayer.repay(rows)
        ]
        done["repaid"] = sum(bool(one.grants) for one in repaid)
    if not repaid:
        raise GuerdonError(f"{type} {id}: somebody else has it repaid just now")
    for one in repaid:
        for grant in one.grants:
            tell(
                f"paid {grant.reward.kind} to {grant.player.nickname} by the rule {grant.rule!r}"
                f" for {one.type} {one.id}"
            )
    troubles = [one for one in repaid if one.problem]
    for one in troubles:
        tell_problem(one)
    if not troubles and not any(one.grants for one in repaid):
        raise GuerdonError(f"{type} {id}: today's rules give nothing for it; it stays as it is")
    if troubles:
        raise SystemExit(1)


def explain_refusal(guerdon: Guerdon, type: str, id: str, family: Sequence[int]) -> str:
    """Why this event is not one that can be repaid."""
    story = describe_event(guerdon.sources, type, id)
    if story is None:
        return f"no event {type} {id} has come, or it was refused"
    if not family:
        return f"{type} {id} is {story['state']}: it is paid by `guerdon events retry {type} {id}`"
    for repayment in list_repayments(family):
        return f"{type} {id} was repaid already, by {repayment.person}: it is paid once"
    if story["grants"]:
        return f"{type} {id} was paid when it was settled: {count(len(story['grants']), 'reward')}"
    return (
        f"{type} {id} earns nothing by any rule, as its source says; of a round, players' parts do"
    )


@dataclass
class Plan:
    """What would be paid: the events' rows, how many rules give nothing for, and events by rule."""

    rows: list[int] = field(default_factory=list)
    without: int = 0
    by_rule: "Counter[str]" = field(default_factory=Counter)

    def describe(self) -> list[str]:
        total = len(self.rows) + self.without
        lines = [
            f"{count(total, 'event')} without a grant;"
            f" today's rules pay {len(self.rows):,}, and give nothing for {self.without:,}"
        ]
        lines += [f"  {rule!r}: {count(number, 'event')}" for rule, number in self.by_rule.items()]
        return lines


def make_plan(repayer: Repayer, since: int, until: int | None, type: str | None) -> Plan:
    plan = Plan()
    for first in show_progress(repayer.list_windows()):
        rows, without = repayer.plan_window(first, since, until, type, plan.by_rule)
        plan.rows += rows
        plan.without += without
    return plan


def repay_all(repayer: Repayer, rows: Sequence[int], done: "Counter[str]") -> None:
    """Chunk by chunk: what is paid stays paid if this is interrupted, and the rest is paid when run again."""
    rewards = 0
    for chunk in show_progress(list(cut_chunks(rows, AT_ONCE))):
        for one in repayer.repay(chunk):
            done["repaid"] += bool(one.grants)
            rewards += len(one.grants)
            done["problems"] += bool(one.problem)
            if one.problem and done["problems"] <= PROBLEMS_SHOWN:
                tell_problem(one)
    tell(f"repaid {count(done['repaid'], 'event')} with {count(rewards, 'reward')}")


def tell_problem(one: Repaid) -> None:
    tell(f"{one.type} {one.id} is not paid: {one.problem}", err=True)
