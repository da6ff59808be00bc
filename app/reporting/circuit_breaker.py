"""A circuit breaker: while nobody is at a destination, reports wait without using up a send.

Closed, all may be sent. After so many failures in a row it is open, and nothing is; after a pause it
is half-open: one send finds out whether somebody is there, and closes it or opens it for longer.
"""

import math
import threading
from collections.abc import Callable
from enum import StrEnum

FAILURES = 10  # in a row, after which nobody seems to be there
PAUSES = (
    5,
    10,
    20,
    40,
    60,
)  # seconds that it stays open, one time after the other; the last repeats


class Circuit(StrEnum):
    """The states of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Counts failures in a row."""

    def __init__(self, ticks: Callable[[], int], most: int = FAILURES) -> None:
        """`ticks` gives ms, and is never set; so many failures in a row open it."""
        self._ticks = ticks
        self._most = most
        self._lock = threading.Lock()
        self._failures = 0
        self._times_opened = 0
        self._open_until = -math.inf

    @property
    def circuit(self) -> Circuit:
        """What it is now."""
        if self._failures < self._most:
            return Circuit.CLOSED
        return Circuit.OPEN if self._ticks() < self._open_until else Circuit.HALF_OPEN

    def note_success(self) -> bool:
        """Somebody was there; True where that closes it."""
        with self._lock:
            was_closed = self.circuit is Circuit.CLOSED
            self._failures = self._times_opened = 0
            return not was_closed

    def note_failure(self, is_certain: bool = False) -> float | None:
        """Nobody was there. The seconds for which that opens it; None where it stays as it is.

        `is_certain`: one failure is enough, and trying soon is pointless.
        """
        with self._lock:
            was_open = self.circuit is Circuit.OPEN
            self._failures = self._most if is_certain else self._failures + 1
            if was_open or self._failures < self._most:
                return None
            pause = PAUSES[-1 if is_certain else min(self._times_opened, len(PAUSES) - 1)]
            self._open_until = self._ticks() + pause * 1000
            self._times_opened += 1
            return float(pause)
