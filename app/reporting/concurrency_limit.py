"""A concurrency limit: so many at once and no more; who finds no room may wait for it."""

import threading
import time
from collections.abc import Callable

GRUDGE = 0.05  # seconds for which a few places are held back, for more to come free


class ConcurrencyLimit:
    """Counts what is under way, whoever begins it."""

    def __init__(self, count_allowed: Callable[[], int]) -> None:
        """`count_allowed` says how many may be under way as things are now."""
        self._count_allowed = count_allowed
        self._lock = threading.Condition()
        self._under_way = 0
        self._held_back_at = 0.0

    def _count_free(self) -> int:
        return self._count_allowed() - self._under_way

    def reserve(self, wanted: int, spare: int = 0, at_least: int = 1) -> int:
        """How many may begin now, at most `wanted`; each is counted as under way.

        `spare` places are left for others; with fewer than `at_least` to give, and some under way, it
        is 0 for a moment: more may be free soon, and many begin in one commit.
        """
        with self._lock:
            granted = min(wanted, self._count_free() - spare)
            if granted < 1:
                return 0
            if granted < at_least and self._under_way:
                self._held_back_at = self._held_back_at or time.monotonic()
                if time.monotonic() < self._held_back_at + GRUDGE:
                    return 0
            self._held_back_at = 0.0
            self._under_way += granted
            return granted

    def give_back(self, count: int) -> None:
        """So many are not under way, or not any more."""
        with self._lock:
            self._under_way -= count
            self._lock.notify(count)

    def wait_for_room(self, seconds: float, is_pointless: Callable[[], bool]) -> None:
        """Until one may begin, or it is pointless, `seconds` at most; somebody else may be quicker then."""
        with self._lock:
            self._lock.wait_for(lambda: self._count_free() > 0 or is_pointless(), seconds)

    def wake(self, count: int | None = None) -> None:
        """Have so many of those who wait for room look again; all for None."""
        with self._lock:
            if count is None:
                self._lock.notify_all()
            else:
                self._lock.notify(count)
