"""Counts the ledger by the hour, in the background: one process at a time, a little at a time.

Rows are counted once they are ten minutes old, again after two hours, and for ever after 26: a database
ends a connection that is idle for eight, so what a stopped process left open is committed by then or never.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog

from app.database.clock import make_clock
from app.database.named_leases import NamedLease
from app.database.opening import Database
from app.numbers.books import (
    Block,
    Overtaken,
    WalkState,
    add_for_ever,
    begin_walk,
    keep_block,
    read_state,
)
from app.numbers.sampling import Sampler
from app.numbers.tallies import HOUR
from app.numbers.walks import WALKS, Walk, count_rows

log = structlog.get_logger()

LEASE = "numbers"
LEASE_LENGTH = 180_000  # ms
LOOK_EVERY = 60_000  # ms, once all is counted
UNSURE = 600_000  # ms: rows that are younger are counted when somebody asks
GROWS_FOR = HOUR  # ms that a block takes in new rows
CHECK_AFTER = 2 * HOUR  # ms since it was begun
SURE_AFTER = 26 * HOUR
IDS_AT_ONCE = 2_000  # SQLite keeps a worker's other greenlets waiting while it counts them
AT_ONCE = 0.25  # seconds of work, then what waits in the inbox has its turn
BREATH = 0.02  # seconds between two stretches


class Roller:
    """Keeps the numbers of one database up to date."""

    def __init__(
        self, database: Database, now: Callable[[], int], ids_at_once: int = IDS_AT_ONCE
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._now = make_clock(now)
        self._ids_at_once = ids_at_once
        self._lease = NamedLease(database, LEASE, self._now, LEASE_LENGTH)
        self._sampler = Sampler(database)
        self._next_look = 0

    def roll(self, seconds: float = AT_ONCE) -> int:
        """Count for so long what is to be counted, if it is our turn; nothing of it pays anybody: 0.

        Once nothing is left it looks again after a minute.
        """
        now = self._now()
        if self._next_look - LOOK_EVERY <= now < self._next_look:
            return 0
        self._next_look = now + LOOK_EVERY  # also where what comes now fails
        if self._lease.hold():
            self._sampler.sample(now)
            if not self._count_on(now, time.monotonic() + seconds):
                self._next_look = 0
        return 0

    def _count_on(self, now: int, deadline: float) -> bool:
        """Whether all is counted before the deadline."""
        for walk in WALKS:
            while self._step(walk, now):
                if time.monotonic() > deadline:
                    return False
                time.sleep(BREATH)
        return True

    def _step(self, walk: Walk, now: int) -> bool:
        """Count one stretch of a walk; False where there is none, or somebody else counts it."""
        state = self._database.read(lambda: read_state(self._database, walk.what))
        if not state.version:
            begin_walk(self._database, walk.what)
            return True
        try:
            return self._finish_block(walk, state, now) or self._take_new(walk, state, now)
        except Overtaken:
            log.info("numbers are counted elsewhere", what=walk.what)
            return False

    def _finish_block(self, walk: Walk, state: WalkState, now: int) -> bool:
        """Count a block again that is due for it, the oldest for the last time."""
        oldest = state.blocks[0] if state.blocks else None
        if oldest and is_past(oldest.begun_at, SURE_AFTER, now):
            hours = self._count(walk, oldest.first, oldest.last)
            add_for_ever(self._database, state, oldest.last, hours)
            return True
        for block in state.blocks:
            if not block.is_checked and is_past(block.begun_at, CHECK_AFTER, now):
                hours = self._count(walk, block.first, block.last)
                checked = Block(block.first, block.last, block.begun_at, True)
                keep_block(self._database, state, checked, hours)
                return True
        return False

    def _take_new(self, walk: Walk, state: WalkState, now: int) -> bool:
        """Count what is new: for ever where it is old enough, or into a block."""
        found = self._database.read(lambda: self._find_new(walk, state.end, now))
        if found is None:
            return False
        last, newest = found
        if not state.blocks and newest < now - SURE_AFTER:
            add_for_ever(self._database, state, last, self._count(walk, state.end + 1, last))
            return True
        latest = state.blocks[-1] if state.blocks else None
        block = Block(state.end + 1, last, now, False)
        if latest and latest.last - latest.first < self._ids_at_once and not (
            latest.is_checked or is_past(latest.begun_at, GROWS_FOR, now)
        ):  # fmt: skip
            block = Block(latest.first, last, latest.begun_at, False)
        keep_block(self._database, state, block, self._count(walk, block.first, last))
        return True

    def _find_new(self, walk: Walk, end: int, now: int) -> tuple[int, int] | None:
        """The last of the next ids that may be counted, and the time (ms) of the newest of them.

        They begin with the next id that is there, however many are not. A row of a time that is still
        to come was written while a clock was wrong, and holds nothing up.
        """
        mark, table, at = self._database.param, walk.table, walk.time
        sql = f"SELECT MIN(id) FROM {table} WHERE id > {mark}"
        first = self._ask(sql, end)[0]
        if first is None:
            return None
        stretch = f"id >= {mark} AND id < {mark}"
        ids = (first, first + self._ids_at_once)
        young = f"{at} >= {mark} AND {at} <= {mark}"
        sql = f"SELECT MIN(id) FROM {table} WHERE {stretch} AND {young}"
        stop = self._ask(sql, *ids, now - UNSURE, now + HOUR)[0]
        sql = f"SELECT MAX(id), MAX({at}) FROM {table} WHERE {stretch}"
        last, newest = self._ask(sql, first, ids[1] if stop is None else stop)
        return None if last is None else (int(last), int(newest))

    def _ask(self, sql: str, *params: Any) -> Any:
        return self._database.execute_sql(sql, params).fetchone()

    def _count(self, walk: Walk, first: int, last: int) -> Any:
        return self._database.read(lambda: count_rows(self._database, walk, first, last))


def is_past(begun_at: int, length: int, now: int) -> bool:
    """Whether so many ms have passed, or the clock was set back behind its beginning."""
    return not begun_at - HOUR <= now < begun_at + length
