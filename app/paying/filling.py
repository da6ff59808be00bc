"""Tells the ledger whose its events are, where nobody needed to know when they were settled.

`guerdon migrate` does it once rules count: in chunks, while votes are paid. A player's turn is taken, so that
whoever counts him next finds out that his history has grown.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from app.counting.folding import read_settled
from app.counting.marks import FILLED, read_mark, set_mark
from app.counting.programme import Programme
from app.database.chunks import run_in_chunks
from app.database.opening import Database
from app.paying.players import PlayerFinder
from app.paying.turns import leave_stale, make_turn
from app.porch.types import Event, Player
from app.rules.calendar import EARLY

NOBODY = ""  # of an event whose player nobody knows
WINDOW = 2000  # rows looked through at once
SLACK = 10_000  # rows before the last that are looked through again: some may still be on their way
# What an event was counted by stays.
COUNTED_AT = (
    "COALESCE(counted_at, CASE WHEN occurred_at IS NULL OR occurred_at > settled_at + {early}"
    " THEN settled_at ELSE occurred_at END)"
)

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Filler:
    """Fills in players and times of events of the types that rules count."""

    def __init__(
        self, database: Database, programme: Programme, finder: PlayerFinder, always: bool = False
    ) -> None:
        """`always`: also where no rule counts."""
        self._database = database
        self._counters = programme.counters
        self._fingerprint = programme.fingerprint
        is_asked = always or bool(programme.fingerprint)
        self._types = sorted(programme.rules.by_type) if is_asked else []
        self._finder = finder

    def is_needed(self) -> bool:
        """Whether rules count, and the ledger was never filled in for any that do."""
        return bool(self._types) and not self._read_done() and self.has_ledger()

    def has_ledger(self) -> bool:
        return self._find_highest() > 0

    def is_outdated(self) -> bool:
        """Whether it was filled in for rules that count something else."""
        done = self._read_done()
        return bool(self._types and done) and done["fingerprint"] != self._fingerprint

    def has_gaps(self) -> bool:
        """Whether events that these rules count were settled since, by rules that asked for no player."""
        if not self._types:
            return False
        kinds = ", ".join([self._database.param] * len(self._types))
        where = "WHERE id >= {} AND id < {}" + f" AND type IN ({kinds}) AND player_id IS NULL"
        for first in self._list_windows(self._find_highest()):
            window = where.format(first, first + WINDOW)
            for settled in read_settled(self._database, window, self._types):
                happened = settled.happened
                if self._counters.does_count(happened.event, happened.moment):
                    return True
        return False

    def _read_done(self) -> dict[str, Any]:
        """Up to which row the ledger was filled in, and for which rules; empty: never."""
        known = read_mark(self._database, FILLED)
        done: dict[str, Any] = json.loads(known) if known else {}
        return done

    def fill(self, progress: Progress = iter) -> int:
        """Fill in what is missing; how many events it was."""
        if not self._types:
            return 0
        highest = self._database.read(self._find_highest)
        count = 0
        for first in progress(self._list_windows(highest)):
            rows = self._database.read(partial(self._list_missing, first))
            count += run_in_chunks(self._database, rows, self._fill_some)
        if self._fingerprint:  # where no rule counts, nobody was counted: it is still to be done
            said = json.dumps({"to": max(0, highest - SLACK), "fingerprint": self._fingerprint})
            self._database.transact(lambda is_retry: set_mark(self._database, FILLED, said))
        return count

    def _list_windows(self, highest: int) -> list[int]:
        """The first ids of what was not looked through yet for these types, up to a row."""
        done = self._database.read(self._read_done)
        is_known = done.get("fingerprint") == self._fingerprint
        return list(range(done["to"] + 1 if is_known else 1, highest + 1, WINDOW))

    def _find_highest(self) -> int:
        sql = "SELECT COALESCE(MAX(id), 0) FROM guerdon_events"
        return int(self._database.execute_sql(sql).fetchone()[0])

    def _list_missing(self, first: int) -> list[int]:
        """The rows of a window whose player or time is not told."""
        mark = self._database.param
        kinds = ", ".join([mark] * len(self._types))
        sql = (
            f"SELECT id FROM guerdon_events WHERE id >= {mark} AND id < {mark}"
            f" AND type IN ({kinds}) AND (player_id IS NULL OR counted_at IS NULL)"
            " AND COALESCE(earns, 1) = 1"
        )
        rows = self._database.execute_sql(sql, [first, first + WINDOW, *self._types]).fetchall()
        return [row[0] for row in rows]

    def _fill_some(self, ids: Sequence[int]) -> int:
        """Inside: some rows, their players' turns taken."""
        listed = ", ".join(str(int(id)) for id in ids)
        rows = self._database.execute_sql(
            "SELECT e.id, e.nickname, e.user_id, (SELECT MIN(g.player_id) FROM guerdon_grants AS g"
            f" WHERE g.event = e.id) FROM guerdon_events AS e WHERE e.id IN ({listed})"
            " AND (e.player_id IS NULL OR e.counted_at IS NULL)"
        ).fetchall()
        unknown = [row for row in rows if row[3] is None]
        found = self._finder.find_players(
            [Event("", "", "", nickname=row[1], user_id=row[2]) for row in unknown]
        )
        players = {row[0]: row[3] for row in rows if row[3] is not None}
        for row, answer in zip(unknown, found, strict=True):
            players[row[0]] = answer.key if isinstance(answer, Player) else NOBODY
        turns = sorted({make_turn(one) for one in players.values() if one})
        if turns:
            leave_stale(self._database, turns)
        for id, player in players.items():
            self._database.execute_sql(
                f"UPDATE guerdon_events SET player_id = {self._database.param},"
                f" counted_at = {COUNTED_AT.format(early=EARLY)} WHERE id = {int(id)}",
                (player,),
            )
        return len(players)
