"""Connections that are kept from one use to the next, and never after any doubt."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar


class Line(Protocol):
    """A connection to be kept."""

    def is_quiet(self) -> bool:
        """Whether it is open, and nothing is on it that nobody asked for."""

    def close(self) -> None:
        """End it; again is fine."""


AnyLine = TypeVar("AnyLine", bound=Line)


class KeptLines(Generic[AnyLine]):
    """Idle connections by whom they lead to; as many as are in use at once."""

    def __init__(self) -> None:
        self._idle: dict[Any, list[AnyLine]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, to: Any, open_line: Callable[[], AnyLine]) -> Iterator[AnyLine]:
        """One for this use alone. Where the use raises, it is closed: a late answer is nobody else's."""
        line = self._find(to) or open_line()
        try:
            yield line
        except BaseException:
            line.close()
            raise
        if line.is_quiet():
            with self._lock:
                self._idle.setdefault(to, []).append(line)
        else:
            line.close()

    def _find(self, to: Any) -> AnyLine | None:
        while True:
            with self._lock:
                idle = self._idle.get(to)
                line = idle.pop() if idle else None
            if line is None or line.is_quiet():
                return line
            line.close()
