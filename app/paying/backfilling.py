"""Pays a rule's past: what it would have paid had it been there, each once, as an event of its own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from app.counting.folding import Settled
from app.counting.kept_facts import list_lost_facts
from app.counting.occasions import make_backfill
from app.counting.programme import Programme
from app.counting.trial import Trial
from app.counting.verdicts import Verdict
from app.database.erasure_models import Erasure
from app.database.opening import Database
from app.paying.ledger import find_settled, key_of
from app.paying.settler import Settler, Work
from app.porch.errors import DatabaseUnavailable, GuerdonError
from app.porch.types import NOT_YET, Event, OutcomeState
from app.rules.rule import Rule, Rules

AT_ONCE = 64  # events in a commit

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Backfill:
    """The past of one rule, as one person has it paid."""

    def __init__(
        self, database: Database, programme: Programme, settler: Settler, rule: Rule
    ) -> None:
        self._database = database
        self._programme = programme
        self._settler = settler
        self._rule = rule

    def plan(self, progress: Progress = iter) -> list[Event]:
        """What is to be paid: an event for each that the rule would have paid, and did not.

        Nobody who was erased is paid. Raises GuerdonError where the rule asks for facts that are gone.
        """
        rules = self._programme.rules
        alone = Rules({self._rule.on: (self._rule,)}, rules.calendar, rules.budgets)
        if lost := list(list_lost_facts(self._database, alone, counted_only=False)):
            raise GuerdonError("; ".join(lost))
        found: list[Event] = []
        rows: Any = Erasure.select(Erasure.pseudonym).tuples()
        erased = {row[0] for row in rows}

        def hear(settled: Settled, verdict: Verdict) -> None:
            times = verdict.paid - settled.paid.get(self._rule.name, 0)
            happened = settled.happened
            if {happened.event.nickname, happened.event.user_id} & erased:
                return
            if times > 0 and happened.player:
                found.append(
                    make_backfill(
                        self._rule, happened.event, happened.player, happened.moment, times
                    )
                )

        Trial(replace(self._programme, rules=alone)).run(self._database, progress, hear)
        return self._leave_out_paid(found)

    def _leave_out_paid(self, events: Sequence[Event]) -> list[Event]:
        left: list[Event] = []
        for start in range(0, len(events), AT_ONCE):
            some = events[start : start + AT_ONCE]
            paid = find_settled(self._database, [key_of(event) for event in some])
            left += [event for event in some if key_of(event) not in paid]
        return left

    def pay(self, events: Sequence[Event], progress: Progress = iter) -> tuple[int, list[str]]:
        """Pay what was planned; how many events, and a sentence for each that could not be."""
        chunks = [events[start : start + AT_ONCE] for start in range(0, len(events), AT_ONCE)]
        paid, troubles = 0, []
        for some in progress(chunks):
            outcomes = self._settler.settle([Work([event]) for event in some])
            for event, outcome in zip(some, outcomes, strict=True):
                if outcome.state == OutcomeState.UNAVAILABLE:
                    raise DatabaseUnavailable(outcome.reason)
                paid += outcome.state == OutcomeState.SETTLED
                if outcome.state in NOT_YET:
                    troubles.append(f"{event.data['type']} {event.data['id']}: {outcome.reason}")
        return paid, troubles
