"""Leaderboards that take long to count: counted in the background, some rows at a time, and kept.

Nothing of a vote's way keeps such a board, so all rows of its time have to be read: seconds, at millions of
votes. That is done when somebody looks, seldom, and with rests, and what a page shows says of when it is.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import NamedTuple

import structlog

from app.counting.boards import count_part
from app.database.opening import Database
from app.database.windows import find_ends, find_first_row
from app.rules.calendar import EARLY

log = structlog.get_logger()
ROWS_AT_ONCE = 50_000
PATIENCE = 30.0  # seconds for so many rows
LASTS = 600.0  # seconds that a board is good for, or so many times as long as it took
LASTS_TIMES = 50
FAILED_FOR = 60.0  # seconds until a board that could not be counted is tried again
MOST_BOARDS = 32


class BoardKey(NamedTuple):
    """Of which time (ms, before `end`) and of which server a board is."""

    begin: int
    end: int | None
    server: str | None


@dataclass
class KeptBoard:
    """Who had most votes at `counted_at` (ms; None: not counted yet), and how far it is counted anew."""

    rows: list[tuple[str, int]] = field(default_factory=list)
    counted_at: int | None = None
    percent: int | None = None  # None: it is not counted just now
    due_at: float = 0.0  # monotonic, in seconds


class KeptBoards:
    """Boards by what they are of; one is counted at a time."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], int],
        places: int,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        """`now` gives ms since the epoch; so many `places` are kept of each."""
        self._rows_at_once = rows_at_once
        self._database = database
        self._now = now
        self._places = places
        self._boards: dict[BoardKey, KeptBoard] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def find(self, key: BoardKey) -> KeptBoard | None:
        """A board that is kept, as far as it is; None for one that nobody had to keep."""
        with self._lock:
            board = self._boards.get(key)
            if board is not None:
                self._count_if_due(key, board)
            return board

    def keep(self, key: BoardKey) -> KeptBoard:
        """Have a board kept from now on; the one that was asked for first makes room."""
        with self._lock:
            if key not in self._boards and len(self._boards) >= MOST_BOARDS:
                del self._boards[next(iter(self._boards))]
            board = self._boards.setdefault(key, KeptBoard())
            self._count_if_due(key, board)
            return board

    def wait(self) -> None:
        """Until nothing is counted."""
        if self._thread is not None:
            self._thread.join()

    def _count_if_due(self, key: BoardKey, board: KeptBoard) -> None:
        is_counting = self._thread is not None and self._thread.is_alive()
        if not is_counting and time.monotonic() >= board.due_at:
            board.percent = 0
            self._thread = threading.Thread(target=self._count, args=(key, board), daemon=True)
            self._thread.start()

    def _count(self, key: BoardKey, board: KeptBoard) -> None:
        began, at, rest = time.monotonic(), self._now(), FAILED_FOR
        try:
            board.rows, board.counted_at = self._rank(key, board), at
            rest = max(LASTS, LASTS_TIMES * (time.monotonic() - began))
        except Exception as error:
            log.warning("leaderboard not counted", reason=f"{type(error).__name__}: {error}")
        finally:
            board.due_at = time.monotonic() + rest
            board.percent = None

    def _rank(self, key: BoardKey, board: KeptBoard) -> list[tuple[str, int]]:
        """Who reached a number earlier is before, as in every leaderboard."""
        found: dict[str, tuple[int, int]] = {}
        for part in self._count_parts(key, board):
            for player, votes, last in part:
                before, earlier = found.get(player, (0, 0))
                found[player] = before + votes, max(earlier, last)
        best = nsmallest(
            self._places, found.items(), key=lambda one: (-one[1][0], one[1][1], one[0])
        )
        return [(player, votes) for player, (votes, _) in best]

    def _count_parts(self, key: BoardKey, board: KeptBoard) -> Iterator[list[tuple[str, int, int]]]:
        """The rows of its time, some at a time; half of the time nothing is asked of the database."""
        with self._database.limit_time(PATIENCE):
            first = max(1, find_first_row(self._database, key.begin - EARLY))
            last = find_ends(self._database, "guerdon_events")[1] or 0
        step = self._rows_at_once
        for start in range(first, last + 1, step):
            began = time.monotonic()
            with self._database.limit_time(PATIENCE):
                yield count_part(self._database, *key, range(start, start + step))
            board.percent = min(99, 100 * (start - first) // max(1, last - first))
            if start + step <= last:
                time.sleep(min(1.0, time.monotonic() - began))
