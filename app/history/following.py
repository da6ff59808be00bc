"""New rows of a table as they come, by their ids; one that becomes visible late is not passed over.

Databases give an id before COMMIT: a row may appear below others that were seen long ago. So ids are
looked at again: each second those of the last half minute, and now and then those of a quarter of an hour.
"""

import time
from collections import deque
from collections.abc import Callable

from app.database.opening import Database
from app.database.windows import find_first_row

SOON, LATE = 30.0, 900.0  # seconds for which ids are looked at again, each time and now and then


class Follower:
    """The ids of a table, each once."""

    def __init__(
        self,
        database: Database,
        table: str,
        time_column: str,
        now: int,
        read_ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is in ms since the epoch, `time_column` too; `read_ticks` gives seconds."""
        self._database = database
        self._table = table
        self._read_ticks = read_ticks
        since = now - int(LATE * 1000)
        low = database.read(lambda: find_first_row(database, since, table, time_column))
        # When ids were looked at, and the last id that there was then.
        self._marks: deque[tuple[float, int]] = deque([(read_ticks(), low - 1)])
        self._seen = set(self._list_ids(low - 1))
        self._next_far_look = read_ticks() + SOON
        self._note_look()

    def list_latest(self, count: int) -> list[int]:
        """The last ids that there were when this began, in their order."""
        newest = max(self._seen, default=self._marks[0][1])
        mark = self._database.param
        sql = f"SELECT id FROM {self._table} WHERE id <= {mark} ORDER BY id DESC LIMIT {int(count)}"
        found = self._database.read(lambda: self._database.execute_sql(sql, (newest,)).fetchall())
        return [int(row[0]) for row in reversed(found)]

    def look(self) -> list[int]:
        """The ids that came since the last look, also below others, in their order."""
        is_far = self._read_ticks() >= self._next_far_look
        new = [id for id in self._list_ids(self._find_mark(LATE if is_far else SOON))
               if id not in self._seen]  # fmt: skip
        self._seen.update(new)
        if is_far:
            self._next_far_look = self._read_ticks() + SOON
            self._forget()
        self._note_look()
        return new

    def _list_ids(self, above: int) -> list[int]:
        sql = f"SELECT id FROM {self._table} WHERE id > {self._database.param} ORDER BY id"
        found = self._database.read(lambda: self._database.execute_sql(sql, (above,)).fetchall())
        return [int(row[0]) for row in found]

    def _note_look(self) -> None:
        newest = max(self._marks[-1][1], max(self._seen, default=0))
        self._marks.append((self._read_ticks(), newest))

    def _find_mark(self, seconds: float) -> int:
        """The last id that there was so long ago, or when this began."""
        until = self._read_ticks() - seconds
        found = [newest for at, newest in self._marks if at <= until]
        return found[-1] if found else self._marks[0][1]

    def _forget(self) -> None:
        low = self._find_mark(LATE)
        self._seen = {id for id in self._seen if id > low}
        until = self._read_ticks() - LATE
        while len(self._marks) > 1 and self._marks[1][0] <= until:
            self._marks.popleft()
