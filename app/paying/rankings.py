"""Closes rankings: when a period is over, its table is made once for ever, and handed to the inbox.

It waits an hour, and while votes of its type wait in the inbox, up to as long as those are tried: a vote that
was cast in time counts. Whether a period was closed is whether its event is there.
"""

from collections.abc import Callable, Iterator
from functools import partial

import structlog
from peewee import PeeweeException

from app.counting.marks import read_mark, set_mark
from app.counting.occasions import (
    list_payees,
    make_ranking,
)
from app.counting.programme import Programme
from app.counting.ranking_places import Standing, rank_players
from app.database.error_kinds import ErrorKind, classify_error
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY
from app.failpoints import reach
from app.paying.counting import is_there
from app.paying.own_deliveries import OwnDeliveries, Put
from app.rules.calendar import Unit
from app.rules.rule import Rule

log = structlog.get_logger()

PATIENCE = 3_600_000  # ms after the end of a period, for votes that are under way
LOOK_EVERY = 60_000  # ms


class Rankings:
    """The periods of every ranking rule."""

    def __init__(
        self,
        database: Database,
        programme: Programme,
        own: OwnDeliveries,
        give_up_after: float,
        now: Callable[[], int],
        count_stale: Callable[[], object],
    ) -> None:
        """`give_up_after` in seconds; `count_stale` brings every player's counters up to date."""
        self._database = database
        self._programme = programme
        self._own = own
        self._longest = int(give_up_after * 1000)
        self._now = now
        self._count_stale = count_stale
        self._rules: dict[str, list[Rule]] = {}
        for rule in programme.rules.all:
            if rule.ranking:
                self._rules.setdefault(rule.ranking_name, []).append(rule)
        self._next_look = 0

    def close_due(self) -> int:
        """Close every period that is over; how many there were. It looks once a minute."""
        now = self._now()
        if not self._rules or self._next_look - LOOK_EVERY <= now < self._next_look:
            return 0
        self._next_look = now + LOOK_EVERY
        count = 0
        for ranking, rules in self._rules.items():
            for period in self._list_open(ranking, rules[0], now):
                if self._own.is_stopping:
                    return count
                if self._may_close(rules[0], period, now):
                    count += self.close(rules[0], period)
        return count

    def close(self, rule: Rule, period: str) -> bool:
        """Close a period of a rule's ranking now; False where it was closed already."""
        if self.is_closed(rule, period):
            return False
        self._count_stale()
        tried: list[Put] = []
        try:
            self._database.transact(lambda is_retry: tried.append(self._close(rule, period)))
        except PeeweeException as error:
            if classify_error(error) != ErrorKind.DUPLICATE:
                raise
            if not (tried and self._is_kept(tried[-1])):
                return False
        log.info("ranking closed", ranking=rule.ranking_name, period=period)
        self._own.pay(tried[-1])
        return True

    def _is_kept(self, put: Put) -> bool:
        """Whether it is this one, whose COMMIT was not answered, that another try has met."""
        return self._database.read(lambda: self._own.is_kept(put.deliveries[0], put))

    def is_closed(self, rule: Rule, period: str) -> bool:
        ranking = make_ranking(rule.ranking_name, period, {})
        return self._database.read(lambda: is_there(self._database, ranking))

    def _list_open(self, ranking: str, rule: Rule, now: int) -> Iterator[str]:
        """The periods since this ranking was first seen that are over and not closed."""
        assert rule.ranking is not None
        calendar, unit = self._programme.rules.calendar, rule.ranking.unit
        name = f"ranking {ranking}"
        since = self._database.read(lambda: read_mark(self._database, name))
        if since is None:
            self._database.transact(lambda is_retry: set_mark(self._database, name, str(now)))
            since = str(now)
        if unit == Unit.SEASON:
            if not self.is_closed(rule, Unit.SEASON):
                yield Unit.SEASON
            return
        period, is_first = calendar.name_period(unit, int(since)), True
        while (end := calendar.end_period(period)) is not None and end <= now:
            if not self.is_closed(rule, period):
                is_first = False
                yield period
            elif is_first:  # all before it are closed too: they need not be asked for again
                self._database.transact(partial(self._note_closed, name, end))
            period = calendar.name_period(unit, end)

    def _note_closed(self, name: str, end: int, is_retry: bool) -> None:
        set_mark(self._database, name, str(end))

    def find_end(self, rule: Rule, period: str) -> int:
        """When a period is over, in ms; a season with the last day of the rule's own `when`."""
        calendar = self._programme.rules.calendar
        if period == Unit.SEASON:
            assert rule.when is not None
            assert rule.when.last is not None
            period = f"{Unit.DAY}:{rule.when.last.isoformat()}"
        end = calendar.end_period(period)
        assert end is not None  # rankings are of periods that end
        return end

    def _may_close(self, rule: Rule, period: str, now: int) -> bool:
        end = self.find_end(rule, period)
        if now < end + PATIENCE:
            return False
        return now >= end + self._longest or not self._does_wait(rule.on, end + PATIENCE)

    def _does_wait(self, type: str, until: int) -> bool:
        """Whether a vote that came before `until` (ms) is still in the inbox."""
        mark = self._database.param
        states = ", ".join([mark] * len(ON_THEIR_WAY))
        sql = (
            f"SELECT 1 FROM guerdon_inbox WHERE state IN ({states}) AND type = {mark}"
            f" AND received_at < {mark} LIMIT 1"
        )
        params = [*ON_THEIR_WAY, type, until]
        return bool(self._database.read(lambda: self._database.execute_sql(sql, params).fetchone()))

    def _close(self, rule: Rule, period: str) -> Put:
        """Inside: put the table of a period into the inbox, once."""
        last = max(one.ranking.last for one in self._rules[rule.ranking_name] if one.ranking)
        table = self.rank(rule.selector.counter, period, last)
        entries = [
            [one.player, self._find_server(one.player), one.votes, one.shared, one.first]
            for one in table
        ]
        data = {"table": entries, "moment": self.find_end(rule, period) - 1}
        occasion = make_ranking(rule.ranking_name, period, data)
        put = self._own.put([occasion, *list_payees(occasion, self._programme.rules)])
        reach("ranking: before COMMIT")
        return put

    def rank(self, counter: str, period: str, last: int) -> list[Standing]:
        """All who have a place up to `last`, by one of the ways to tell equal ones apart."""
        mark = self._database.param
        rows = self._database.execute_sql(
            f"SELECT player_id, votes, last_at FROM guerdon_tallies WHERE counter = {mark}"
            f" AND period = {mark} AND votes >= COALESCE((SELECT votes FROM guerdon_tallies WHERE"
            f" counter = {mark} AND period = {mark} ORDER BY votes DESC LIMIT 1 OFFSET {last - 1}), 0)",
            (counter, period, counter, period),
        ).fetchall()
        return rank_players([(row[0], row[1], row[2]) for row in rows])

    def _find_server(self, player: str) -> str:
        """The server of the player's latest event: what he has won waits for him there."""
        mark = self._database.param
        sql = (
            f"SELECT server_id FROM guerdon_events WHERE player_id = {mark} AND server_id <> ''"
            " ORDER BY id DESC LIMIT 1"
        )
        row = self._database.execute_sql(sql, (player,)).fetchone()
        return row[0] if row else ""
