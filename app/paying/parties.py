"""Takes votes that count towards a party into rounds of exactly so many, and hands each to the inbox.

Whoever comes second finds other rows than he has read, and leaves it: a round is folded once, on any
number of hosts. It is paid from the inbox, with its voters as its parts.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import structlog
from peewee import PeeweeException

from app.counting.occasions import list_payees, make_party
from app.counting.programme import Programme
from app.counting.writing import CounterRaced
from app.database.chunks import ROWS_AT_ONCE
from app.database.error_kinds import ErrorKind, classify_error
from app.database.opening import Database
from app.failpoints import reach
from app.paying.own_deliveries import OwnDeliveries, Put
from app.rules.keys import Payees
from app.rules.rule import Rule

log = structlog.get_logger()


class Parties:
    """The rounds of every party rule."""

    def __init__(self, database: Database, programme: Programme, own: OwnDeliveries) -> None:
        self._database = database
        self._own = own
        self._all_rules = programme.rules
        rules = [rule for rule in programme.rules.all if rule.party]
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.party_name, []).append(rule)

    def fold(self) -> int:
        """Make every round that is full, unless we are to stop; how many there were."""
        count = 0
        for party in self._rules:
            for period in self._database.read(partial(self._list_periods, party)):
                while not self._own.is_stopping and self._fold_once(party, period):
                    count += 1
        return count

    def start_by_hand(self, rule: Rule) -> int:
        """Make a round of whatever votes a party has by now; how many votes are in it."""
        party = rule.party_name
        periods = self._database.read(lambda: self._list_periods(party))
        return self._fold_once(party, periods[-1], least=1) if periods else 0

    def _list_periods(self, party: str) -> list[str]:
        """The periods with open votes."""
        sql = (
            f"SELECT DISTINCT period FROM guerdon_party_votes WHERE party = {self._database.param}"
            " AND round IS NULL ORDER BY period"
        )
        return [row[0] for row in self._database.execute_sql(sql, (party,)).fetchall()]

    def _fold_once(self, party: str, period: str, least: int | None = None) -> int:
        """Make one round if it is full, or of at least `least`; the number of its votes, 0 for none."""
        try:
            put, count = self._database.transact(lambda is_retry: self._fold(party, period, least))
        except CounterRaced:
            return 0
        except PeeweeException as error:
            if classify_error(error) not in (ErrorKind.DUPLICATE, ErrorKind.LOCKED):
                raise
            return 0  # somebody else folds it just now
        if put:
            self._own.pay(put)
        return count

    def _fold(self, party: str, period: str, least: int | None) -> tuple[Put | None, int]:
        """Inside: mark the oldest votes with their round, and put its deliveries into the inbox.

        What was put, and the number of the votes.
        """
        rule = self._rules[party][0]
        assert rule.party is not None
        votes = self._read_open(party, period, rule.party.every)
        if len(votes) < (least or rule.party.every):
            return None, 0
        number = self._find_latest(party, period) + 1
        self._mark([vote[0] for vote in votes], number)
        reach("party: votes marked")
        data = {"voters": list_voters(votes), "servers": self._list_servers(party),
                "moment": max(vote[3] for vote in votes)}  # fmt: skip
        occasion = make_party(party, period, number, data)
        put = self._own.put([occasion, *list_payees(occasion, self._all_rules)])
        reach("party: before COMMIT")
        log.info("party", rules=[one.name for one in self._rules[party]], round=number)
        return put, len(votes)

    def _read_open(self, party: str, period: str, most: int) -> Sequence[Sequence[Any]]:
        mark = self._database.param
        lock = " FOR UPDATE" if self._database.family == "mysql" else ""
        ids = self._database.execute_sql(
            f"SELECT id FROM guerdon_party_votes WHERE party = {mark} AND period = {mark}"
            f" AND round IS NULL ORDER BY id LIMIT {int(most)}{lock}",
            (party, period),
        ).fetchall()
        votes: list[Sequence[Any]] = []
        for some in cut([row[0] for row in ids]):
            votes += self._database.execute_sql(
                "SELECT v.id, v.player_id, e.server_id, v.counted_at FROM guerdon_party_votes AS v"
                f" JOIN guerdon_events AS e ON e.id = v.event WHERE v.id IN ({join(some)})"
                " ORDER BY v.id"
            ).fetchall()
        return votes

    def _find_latest(self, party: str, period: str) -> int:
        mark = self._database.param
        sql = (
            f"SELECT round FROM guerdon_party_votes WHERE party = {mark} AND period = {mark}"
            " AND round IS NOT NULL ORDER BY round DESC LIMIT 1"
        )
        row = self._database.execute_sql(sql, (party, period)).fetchone()
        return int(row[0]) if row else 0

    def _mark(self, ids: Sequence[int], number: int) -> None:
        for some in cut(ids):
            changed = self._database.execute_sql(
                f"UPDATE guerdon_party_votes SET round = {int(number)} WHERE id IN ({join(some)})"
                " AND round IS NULL"
            ).rowcount
            if changed != len(some):
                raise CounterRaced("somebody else has taken some of these votes into a round")

    def _list_servers(self, party: str) -> list[str]:
        """Those that a rule pays instead of voters."""
        servers = {
            server
            for rule in self._rules[party]
            if rule.party and rule.party.to == Payees.SERVER
            for server in rule.servers or ()
        }
        return sorted(servers)


def list_voters(votes: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Each voter once, with the server of his latest vote."""
    return [[player, server] for player, server in {v[1]: v[2] for v in votes}.items()]


def cut(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), ROWS_AT_ONCE):
        yield ids[start : start + ROWS_AT_ONCE]


def join(ids: Sequence[int]) -> str:
    return ", ".join(str(int(id)) for id in ids)
