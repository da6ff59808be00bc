"""What rules would have paid: the whole ledger decided about anew, in the order it was settled.

It writes nothing. Draws are the same for ever, so the trial of the running rules is the ledger itself.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.counting.deciding import decide
from app.counting.folding import Settled, read_settled
from app.counting.imported import is_totals
from app.counting.occasions import SOURCE
from app.counting.programme import Programme
from app.counting.spilling import SpillingDict
from app.counting.state import KINDS, State
from app.counting.trial_occasions import TrialOccasions
from app.counting.verdicts import Verdict
from app.database.opening import Database
from app.database.windows import list_windows
from app.porch.types import Reward

ROWS_AT_ONCE = 2000
EXAMPLES = 5

Progress = Callable[[Sequence[Any]], Iterable[Any]]


@dataclass
class Result:
    """What one rule would have paid since a time, and what it did pay."""

    rule: str
    times: int = 0
    paid: int = 0  # by the ledger
    more: int = 0  # events that it pays oftener now
    less: int = 0
    players: set[int] = field(default_factory=set)  # hashes of their keys
    sums: dict[str, Decimal] = field(default_factory=dict)  # by reward and parameter
    by_day: dict[date, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)  # events where the two differ

    def add_gifts(self, rewards: Iterable[Reward]) -> None:
        for reward in rewards:
            for name, value in reward.params.items():
                if isinstance(value, int | Decimal) and not isinstance(value, bool):
                    said = f"{reward.kind} {name}"
                    self.sums[said] = self.sums.get(said, Decimal(0)) + Decimal(value)


@dataclass
class Trial:
    """The rules in question, on their way through a ledger."""

    programme: Programme
    since: int = 0  # ms; what was settled before moves counters, and is not reported
    until: int | None = None
    results: dict[str, Result] = field(default_factory=dict)
    events: int = 0
    days: set[date] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.results = {rule.name: Result(rule.name) for rule in self.programme.rules.all}
        kept = [SpillingDict() for _ in KINDS]
        self._state = State(kept[0], kept[1], kept[2], kept[3], kept[4])

    def run(
        self, database: Database, progress: Progress = iter,
        hear: Callable[[Settled, Verdict], None] | None = None,
    ) -> None:  # fmt: skip
        """Decide about every event; `hear` is told of each that a rule pays."""
        occasions = TrialOccasions(database, self.programme)
        for first in progress(list_windows(database, "guerdon_events", ROWS_AT_ONCE)):
            for settled in read_window(database, first):
                if self.until is None or settled.settled_at < self.until:
                    for one, verdict in self._decide(settled, occasions):
                        self._note(one, verdict)
                        if hear and verdict.paid and one.settled_at >= self.since:
                            hear(one, verdict)
                    self._count(settled)

    def _count(self, settled: Settled) -> None:
        if settled.settled_at >= self.since and settled.happened.event.source != SOURCE:
            self.events += 1
            self.days.add(self.programme.rules.calendar.find_day(settled.happened.moment))

    def _decide(
        self, settled: Settled, occasions: TrialOccasions
    ) -> Iterator[tuple[Settled, Verdict]]:
        """What each rule says of an event, and of whoever an occasion pays that it completes."""
        happened = settled.happened
        for payee in occasions.close_ended(settled.settled_at):
            yield from self._judge(Settled(0, payee, {}, settled.settled_at))
        is_own = happened.event.source == SOURCE and not is_totals(happened.event)
        if is_own and not occasions.is_replayed(happened.event):
            return
        draft = self._state.begin()
        for verdict in decide(self.programme, draft, happened):
            yield settled, verdict
        self._state.keep(draft)
        occasions.count_ranked(happened)
        for payee in occasions.add_votes(draft.party_votes):
            yield from self._judge(Settled(0, payee, {}, settled.settled_at))

    def _judge(self, settled: Settled) -> Iterator[tuple[Settled, Verdict]]:
        draft = self._state.begin()
        for verdict in decide(self.programme, draft, settled.happened):
            yield settled, verdict
        self._state.keep(draft)

    def _note(self, settled: Settled, verdict: Verdict) -> None:
        if settled.settled_at < self.since:
            return
        result = self.results[verdict.rule.name]
        was_paid = settled.paid.get(verdict.rule.name, 0)
        result.times += verdict.paid
        result.paid += was_paid
        result.more += verdict.paid > was_paid
        result.less += verdict.paid < was_paid
        if verdict.paid != was_paid and len(result.examples) < EXAMPLES:
            result.examples.append(f"{settled.happened.name}: paid {was_paid}, now {verdict.paid}")
        if verdict.paid:
            day = self.programme.rules.calendar.find_day(settled.happened.moment)
            result.by_day[day] = result.by_day.get(day, 0) + verdict.paid
            result.players.add(hash(settled.happened.player))
            result.add_gifts(gift.reward for gift in verdict.gifts)


def read_window(database: Database, first: int) -> Iterator[Settled]:
    """Settled events of some rows with what each rule paid for them."""
    mark = database.param
    window = (first, first + ROWS_AT_ONCE)
    grants = database.execute_sql(
        f"SELECT DISTINCT event, rule FROM guerdon_grants WHERE event >= {mark} AND event < {mark}",
        window,
    ).fetchall()
    paid: dict[int, dict[str, int]] = {}
    for row, rule in grants:
        paid.setdefault(row, {})[rule] = 1
    where = f"WHERE id >= {mark} AND id < {mark} ORDER BY id"
    for settled in read_settled(database, where, window):
        if not settled.is_decided:
            settled.paid.update(paid.get(settled.row, {}))
        yield settled
