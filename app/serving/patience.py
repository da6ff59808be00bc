"""Deadlines of one length: who was added first is late first, so that one look finds all who are."""

import time
from collections.abc import Iterator
from typing import Any


class Patience:
    """Connections that have so many seconds from when they are added; the most patient first."""

    def __init__(self, seconds: float) -> None:
        """0 seconds: as long as they like."""
        self._seconds = seconds
        self._begun: dict[Any, float] = {}

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, one: Any) -> None:
        """Its time begins, also where it was here before."""
        self._begun.pop(one, None)
        self._begun[one] = time.monotonic()

    def remove(self, one: Any) -> None:
        """It was in time."""
        self._begun.pop(one, None)

    def take_first(self) -> Any:
        """The one that was added first; it is removed."""
        first = next(iter(self._begun))
        del self._begun[first]
        return first

    def find_late(self) -> Iterator[Any]:
        """Those whose time is over; each is told once, and removed."""
        until = time.monotonic() - self._seconds
        while self._seconds and self._begun and next(iter(self._begun.values())) <= until:
            yield self.take_first()
