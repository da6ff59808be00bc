"""Pays, by today's rules, what was settled with no grant: once, because a person says so.

The grants, the reports they cause and the row that says that the event was repaid are one commit. That
row's key decides who pays, where two people repay the same event at once, also on two nodes of a cluster.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from peewee import IntegrityError

from app.crashing import reach
from app.database import Database
from app.errors import DatabaseUnavailable
from app.faults import classify_error
from app.granting import GatheredWrites, give_gift, group_grants
from app.hookspecs import Event, Grant, Outcome, Player
from app.ledger import dump_receipt, insert_grants, insert_sql
from app.payments import Work, explain_failure
from app.plugin_manager import Plugins
from app.recipients import Recipients
from app.reporting import build_reports, insert_reports
from app.rules import Gift, Rules
from app.turns import take_turns
from app.unpaid import Unpaid, list_windows, read_unpaid_rows, read_window

DUPLICATE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Repaid:
    """What became of one event: `grants`, or why there are none, or neither: it earns nothing."""

    type: str
    id: str
    grants: Sequence[Grant] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One event that is to be paid: what it earns, and who gets it."""

    unpaid: Unpaid
    gifts: list[Gift]
    player: Player


class Repayer:
    """Repays settled events; each chunk is one transaction where nothing goes wrong."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        rules: Rules,
        recipients: Recipients,
        now: Callable[[], int],
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._rules = rules
        self._recipients = recipients
        self._now = now

    def list_windows(self) -> list[int]:
        """The stretches of the ledger that `plan_window` looks through, one after the other."""
        return self._database.ask(lambda attempt: list_windows(self._database))

    def plan_window(
        self, first: int, since: int, until: int | None, type: str | None, planned: "Counter[str]"
    ) -> tuple[list[int], int]:
        """The rows of a stretch that today's rules would pay, and how many they would not.

        Events settled from `since` until before `until` (ms), of this type if given. What each rule
        would pay is counted in `planned`.
        """
        found = self._database.ask(
            lambda attempt: read_window(self._database, first, since, until, type)
        )
        rows = []
        for one in found:
            if rules := {gift.rule: None for gift in self._rules.choose_gifts(one.event)}:
                planned.update(rules.keys())
                rows.append(one.row)
        return rows, len(found) - len(rows)

    def repay(self, rows: Sequence[int], person: str) -> list[Repaid]:
        """What became of the events of these rows; those that are paid meanwhile are left out.

        What one of them, its player or a plugin does wrong costs none of the others. Raises
        DatabaseUnavailable when the database is lost; what was committed before stays.
        """
        try:
            return self._repay_together(rows, person)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(rows) == 1:
                return self._explain(rows, error)
        half = len(rows) // 2
        return self.repay(rows[:half], person) + self.repay(rows[half:], person)

    def _explain(self, rows: Sequence[int], error: Exception) -> list[Repaid]:
        found = self._database.ask(lambda attempt: read_unpaid_rows(self._database, rows))
        return [
            Repaid(event.type, event.id, problem=explain_failure(Work([event]), error).reason)
            for event in (one.event for one in found)
        ]

    def _repay_together(self, rows: Sequence[int], person: str) -> list[Repaid]:
        for tries_left in reversed(range(DUPLICATE_TRIES)):
            try:
                repaid = self._database.transact(partial(self._pay, rows, person))
                reach("repaying: after COMMIT")
                return repaid
            except IntegrityError as error:
                # Somebody repaid one of them meanwhile: look again, and repay the rest.
                if classify_error(error) != "duplicate" or not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _pay(self, rows: Sequence[int], person: str, attempt: int) -> list[Repaid]:
        repaid: list[Repaid] = []
        earning: list[tuple[Unpaid, list[Gift]]] = []
        for one in read_unpaid_rows(self._database, rows):
            if gifts := self._rules.choose_gifts(one.event):
                earning.append((one, gifts))
            else:
                repaid.append(Repaid(one.event.type, one.event.id))
        answers = self._find_players([one.event for one, _ in earning])
        lines = []
        for (one, gifts), answer in zip(earning, answers, strict=True):
            if isinstance(answer, Player):
                lines.append(Line(one, gifts, answer))
            else:
                repaid.append(Repaid(one.event.type, one.event.id, problem=answer.reason))
        grants = self._write(lines, person)
        reach("repaying: before COMMIT")
        return repaid + [
            Repaid(event.type, event.id, grants[id(event)])
            for event in (line.unpaid.event for line in lines)
        ]

    def _find_players(self, events: Sequence[Event]) -> list[Player | Outcome]:
        """For each event its player, or the outcome of one that has none."""
        asks = self._recipients.asks_plugins
        known = [self._recipients.ask_plugins(event) if asks else None for event in events]
        unknown = [event for event, player in zip(events, known, strict=True) if player is None]
        searched = iter(self._recipients.search(unknown))
        return [player or next(searched) for player in known]

    def _write(self, lines: Sequence[Line], person: str) -> "dict[int, list[Grant]]":
        """All that one commit holds: who had it paid, the rewards, the ledger, the reports."""
        if not lines:
            return {}
        now = self._now()
        take_turns(self._database, [line.player for line in lines])
        self._insert_repayments(lines, person, now)
        batch = GatheredWrites()
        ledger = []
        for line in lines:
            for gift in line.gifts:
                grant = give_gift(
                    self._plugins, self._database, gift, line.unpaid.event, line.player, batch, now
                )
                ledger.append((line.unpaid.row, grant, gift.params_json))
        batch.flush(self._plugins, self._database)
        told = [(row, grant, params, dump_receipt(grant)) for row, grant, params in ledger]
        insert_grants(self._database, told, now)
        grants = group_grants(grant for _, grant, _ in ledger)
        if self._plugins.has("build_report"):
            reports = [
                (row, report)
                for row, event in ((line.unpaid.row, line.unpaid.event) for line in lines)
                for report in build_reports(self._plugins, event, grants[id(event)], now)
            ]
            insert_reports(self._database, reports, now, look_first=True)
        return dict(grants)

    def _insert_repayments(self, lines: Sequence[Line], person: str, now: int) -> None:
        """A row that is there already fails as the database's unique error: it decides who pays."""
        columns = ("event", "person", "grants", "repaid_at")
        sql = insert_sql("guerdon_repayments", columns, len(lines), self._database.param)
        rows = [(line.unpaid.row, person, len(line.gifts), now) for line in lines]
        self._database.execute_sql(sql, [value for row in rows for value in row])
