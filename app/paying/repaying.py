"""Pays, by today's rules, what was settled with no grant: once, because a person says so.

The grants, the reports they cause and the row that says that the event was repaid are one commit. That
row's key decides who pays, where two people repay the same event at once, also on two nodes of a cluster.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.counting.programme import Programme
from app.database.opening import Database
from app.database.statements import insert_sql
from app.history.unpaid import list_unpaid_keys, list_windows, read_unpaid_rows, read_window
from app.host.loading import Plugins
from app.paying.ledger import find_settled
from app.paying.payer import Payer
from app.paying.payments import Payment, Work
from app.paying.recipients import Recipients
from app.paying.settler import Settler
from app.porch.errors import DatabaseUnavailable
from app.porch.types import NOT_YET, Event, Grant, Outcome, OutcomeState


@dataclass(frozen=True, slots=True)
class Repaid:
    """What became of one event: `grants`, or why there are none, or neither: it earns nothing."""

    type: str
    id: str
    grants: Sequence[Grant] = ()
    problem: str = ""


class RepayingPayer(Payer):
    """A Payer of events whose rows are there already: what is new is the row that says who had it paid."""

    def __init__(self, *args: Any, person: str) -> None:
        super().__init__(*args)
        self._person = person
        self._counts = False  # these events were counted when they were settled

    def _plan(self, payments: Sequence[Payment], look_first: bool, now: int) -> None:
        keys = [key for payment in payments for key in payment.work.keys]
        unpaid = list_unpaid_keys(self._database, keys)
        for payment in payments:
            payment.reset({}, now)
            for line in payment.lines:
                line.gifts = self._programme.rules.choose_gifts(line.event)
                line.wants_player = bool(line.gifts)
            if not unpaid.issuperset(payment.work.keys):
                payment.outcome = Outcome(OutcomeState.KNOWN)
            elif not any(line.gifts for line in payment.lines):
                payment.outcome = Outcome(OutcomeState.IGNORED, "today's rules give nothing for it")
            elif self._suspects.are_there() and self._suspects.needs_care(payment):
                payment.is_careful = True

    def _write_books(
        self, payments: Sequence[Payment], now: int, look_first: bool
    ) -> Mapping[bytes, int]:
        """A repayment that is there already fails as the database's unique error: it decides who pays."""
        lines = [(payment, line) for payment in payments for line in payment.lines]
        if not lines:
            return {}
        ids = find_settled(self._database, [line.key for _, line in lines])
        columns = ("event", "person", "grants", "repaid_at")
        rows = [(ids[line.key], self._person, len(line.grants), now) for _, line in lines]
        sql = insert_sql("guerdon_repayments", columns, len(rows), self._database.param)
        self._database.execute_sql(sql, [value for row in rows for value in row])
        # The event may have been reported when it was settled.
        self._write_grants(lines, ids, now, look_first=True)
        return ids


class Repayer:
    """Repays settled events as one person; each call of `repay` is one transaction where all is well."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        programme: Programme,
        recipients: Recipients,
        now: Callable[[], int],
        person: str,
    ) -> None:
        """`now` gives ms since the epoch; `person` is who says so."""
        self._database = database
        self._rules = programme.rules
        make_payer = partial(RepayingPayer, person=person)
        self._settler = Settler(
            database, plugins, programme, recipients, now, make_payer=make_payer
        )

    def list_windows(self) -> list[int]:
        """The stretches of the ledger that `plan_window` looks through, one after the other."""
        return self._database.read(lambda: list_windows(self._database))

    def plan_window(
        self, first: int, since: int, until: int | None, type: str | None, planned: "Counter[str]"
    ) -> tuple[list[int], int]:
        """The rows of a stretch that today's rules would pay, and how many they would not.

        Events settled from `since` until before `until` (ms), of this type if given. What each rule
        would pay is counted in `planned`.
        """
        found = self._database.read(lambda: read_window(self._database, first, since, until, type))
        rows = []
        for one in found:
            if rules := {gift.rule: None for gift in self._rules.choose_gifts(one.event)}:
                planned.update(rules.keys())
                rows.append(one.row)
        return rows, len(found) - len(rows)

    def repay(self, rows: Sequence[int]) -> list[Repaid]:
        """What became of the events of these rows; those that are paid already are left out.

        What one of them, its player or a plugin does wrong costs none of the others. Raises
        DatabaseUnavailable when the database is lost; what was committed before stays.
        """
        found = self._database.read(lambda: read_unpaid_rows(self._database, rows))
        events = [one.event for one in found]
        outcomes = self._settler.settle([Work([event]) for event in events])
        return [
            describe_outcome(event, outcome)
            for event, outcome in zip(events, outcomes, strict=True)
            if outcome.state != OutcomeState.KNOWN
        ]


def describe_outcome(event: Event, outcome: Outcome) -> Repaid:
    """What became of an event in the words of repaying; DatabaseUnavailable where nothing can."""
    if outcome.state == OutcomeState.UNAVAILABLE:
        raise DatabaseUnavailable(outcome.reason)
    problem = outcome.reason if outcome.state in NOT_YET else ""
    return Repaid(event.type, event.id, outcome.grants, problem)
