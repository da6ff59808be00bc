"""Refusals are told in the log: a few a second one by one, of a flood how many there were."""

import threading
import time
from collections import Counter
from typing import Any

import structlog

log = structlog.get_logger()

TOLD = 5  # a second, of each kind
WINDOW = 1.0  # seconds
LONGEST_SOURCE = 64  # characters


class Refusals:
    """Counts refusals by kind; after a flood's second one line says how many were not told."""

    def __init__(self, told: int = TOLD, window: float = WINDOW) -> None:
        self._told, self._window = told, window
        self._counts: Counter[tuple[str, int]] = Counter()
        self._ends_at = 0.0
        self._lock = threading.Lock()

    def tell(self, source: str, status: int, reason: str, address: str) -> None:
        """A request to `source` from `address` was refused with this status, for this reason."""
        # Names that nobody answers to are strangers' inventions, and of one kind.
        kind = ("" if status == 404 else source, status)
        with self._lock:
            self._begin_window()
            self._counts[kind] += 1
            count, is_first = self._counts[kind], self._is_first_untold(kind)
        if count <= self._told:
            source = source[:LONGEST_SOURCE]  # of a 404 it is whatever stood in the path
            log.warning("refused", source=source, status=status, reason=reason, address=address)
        elif is_first:
            timer = threading.Timer(self._window, self.sum_up)
            timer.daemon = True
            timer.start()

    def _begin_window(self) -> None:
        now = time.monotonic()
        if now >= self._ends_at and not any(n > self._told for n in self._counts.values()):
            self._counts.clear()
            self._ends_at = now + self._window

    def _is_first_untold(self, kind: tuple[str, int]) -> bool:
        untold = [n - self._told for n in self._counts.values() if n > self._told]
        return untold == [1] and self._counts[kind] > self._told

    def sum_up(self) -> None:
        """Tell how many were not told one by one, and begin anew."""
        with self._lock:
            counts: dict[Any, int] = dict(self._counts)
            self._counts.clear()
            self._ends_at = time.monotonic() + self._window
        for (source, status), count in counts.items():
            if count > self._told:
                line: dict[str, Any] = {"source": source, "status": status}
                log.warning("refused more", **line, count=count - self._told)
