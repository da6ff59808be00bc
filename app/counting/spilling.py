"""A mapping that keeps what was used lately in memory, and the rest in a file of its own."""

import pickle
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from typing import Any

IN_MEMORY = 50_000  # entries, some hundred bytes each
AT_ONCE = 10_000


class SpillingDict(MutableMapping[Any, Any]):
    """As a dict; what it holds beyond so many entries lies in a temporary file, which ends with it."""

    def __init__(self, most: int = IN_MEMORY) -> None:
        self._most = most
        self._recent: OrderedDict[Any, Any] = OrderedDict()
        self._file = sqlite3.connect("")  # a temporary one of SQLite's own
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE kept (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._has_spilled = False

    def __getitem__(self, key: Any) -> Any:
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        if self._has_spilled:
            sql = "SELECT value FROM kept WHERE key = ?"
            row = self._file.execute(sql, (write_key(key),)).fetchone()
            if row:
                value = pickle.loads(row[0])  # noqa: S301  (we have written it)
                self[key] = value
                return value
        raise KeyError(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._recent[key] = value
        self._recent.move_to_end(key)
        if len(self._recent) > self._most:
            self._spill()

    def _spill(self) -> None:
        oldest = [self._recent.popitem(last=False) for _ in range(min(AT_ONCE, self._most))]
        rows = [(write_key(key), pickle.dumps(value)) for key, value in oldest]
        self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
        self._has_spilled = True

    def __delitem__(self, key: Any) -> None:
        raise NotImplementedError("nothing is ever taken back")

    def __iter__(self) -> Iterator[Any]:
        return iter(self._recent)

    def __len__(self) -> int:
        return len(self._recent)


def write_key(key: tuple[str, ...]) -> bytes:
    return "\0".join(key).encode("utf-8", "surrogatepass")
