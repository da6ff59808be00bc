"""Takes votes that count towards a party into rounds of exactly so many, and has each paid.

Whoever comes second finds other rows than he has read, and leaves it: a round is folded once, on any
number of hosts. The commit that makes it pays its voters too. Where one of them cannot be paid, or they are
many, it puts the round and each voter into the inbox instead, and they are paid from there.

Votes are marked with their round last, after the plugins: one that ends the transaction, which none may,
ends it before anything is said of the votes.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog
from peewee import PeeweeException

from app.counting.occasions import list_payees, make_party
from app.counting.programme import Programme
from app.counting.writing import CounterRaced
from app.database.chunks import ROWS_AT_ONCE
from app.database.error_kinds import ErrorKind, classify_error
from app.database.opening import Database
from app.failpoints import reach
from app.paying.counting import is_there
from app.paying.own_deliveries import AT_ONCE, OwnDeliveries, Paid, Put
from app.porch.errors import GuerdonError
from app.porch.types import Delivery
from app.rules.keys import Payees
from app.rules.rule import Rule

log = structlog.get_logger()


class Round(NamedTuple):
    """The deliveries of a round, of itself and of each whom it pays; its number, and its votes' row ids."""

    deliveries: Sequence[Delivery]
    number: int
    votes: Sequence[int]


class Made(NamedTuple):
    """A round, and what became of its deliveries: paid with it, or put into the inbox."""

    round: Round
    handed: Paid | Put


Fold = Callable[[], Round | None]
HandOver = Callable[[Sequence[Delivery]], Paid | Put]


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
        fold = partial(self._fold, party, period, least)
        made = self._make_somehow(party, fold)
        if made is None:
            return 0
        number, votes = made.round.number, len(made.round.votes)
        log.info("party", rules=[one.name for one in self._rules[party]], round=number)
        self._own.finish(made.handed)
        return votes

    def _make_somehow(self, party: str, fold: Fold) -> Made | None:
        """A round paid at once where that can be, or put; None where there is none.

        Whatever stops the first, as a database that hangs up on it, need not stop the second, which asks
        no plugin.
        """
        tried: list[Made] = []
        if self._is_small(party) and not self._own.is_stopping:
            try:
                return self._make(fold, self._own.pay_inside, tried)
            except (GuerdonError, PeeweeException) as error:  # whose fault: the inbox will tell
                log.info("party not paid at once", reason=type(error).__name__)
            except Exception as error:
                log.error("party not paid at once", exc_info=error)
        try:
            return self._make(fold, self._put_new, tried)
        except CounterRaced:
            return None
        except PeeweeException as error:
            if classify_error(error) not in (ErrorKind.DUPLICATE, ErrorKind.LOCKED):
                raise
            return None  # somebody else folds it just now

    def _is_small(self, party: str) -> bool:
        """Whether a round of it, and all whom it pays, are few enough for a commit."""
        party_rule = self._rules[party][0].party
        assert party_rule is not None
        return 1 + party_rule.every + len(self._list_servers(party)) <= AT_ONCE

    def _put_new(self, deliveries: Sequence[Delivery]) -> Put:
        """Inside: put a round, unless one of that number was paid already."""
        if is_there(self._database, deliveries[0]):
            raise CounterRaced("somebody else has made a round of this number")
        return self._own.put(deliveries)

    def _make(self, fold: Fold, hand_over: HandOver, tried: list[Made]) -> Made | None:
        """In one commit: a round, and what becomes of its deliveries; None where there is none.

        What is tried is noted: where no answer to COMMIT came, who tries again finds out whether it is kept,
        once he holds the votes himself, so that it is not on its way any more.
        """

        def act(is_retry: bool) -> Made | None:
            found = fold()
            kept = [one for one in tried if self._own.is_kept(one.round.deliveries[0], one.handed)]
            if kept or found is None:
                return kept[0] if kept else None
            tried.append(Made(found, hand_over(found.deliveries)))
            reach("party: handed over")
            self._mark(found.votes, found.number)
            reach("party: before COMMIT")
            return tried[-1]

        return self._database.transact(act)

    def _fold(self, party: str, period: str, least: int | None) -> Round | None:
        """Inside: a round of the oldest votes, which nobody else takes meanwhile; None: they are too few."""
        rule = self._rules[party][0]
        assert rule.party is not None
        votes = self._read_open(party, period, rule.party.every)
        if len(votes) < (least or rule.party.every):
            return None
        number = self._find_latest(party, period) + 1
        data = {"voters": list_voters(votes), "servers": self._list_servers(party),
                "moment": max(vote[3] for vote in votes)}  # fmt: skip
        occasion = make_party(party, period, number, data)
        deliveries = [occasion, *list_payees(occasion, self._all_rules)]
        return Round(deliveries, number, [vote[0] for vote in votes])

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
