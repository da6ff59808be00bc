"""What a port refuses, in one line a minute, however much of it there is."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger()

PAUSE = 60.0  # seconds between two lines
MOST_REASONS = 12  # that a line tells apart


class Tally:
    """Counts refusals by their reason; the first is told at once."""

    def __init__(self, source: str, now: Callable[[], float] = time.monotonic) -> None:
        """`now` gives seconds."""
        self._source = source
        self._now = now
        self._counts: Counter[str] = Counter()
        self._address = ""
        self._next_line = float("-inf")
        self._lock = threading.Lock()

    def note(self, reason: str, address: str) -> None:
        """Somebody at this address was refused."""
        with self._lock:
            is_new = reason not in self._counts and len(self._counts) >= MOST_REASONS
            self._counts["other reasons" if is_new else reason] += 1
            self._address = address
        self.tell()

    def tell(self) -> None:
        """Write the line, if it is time and there is something to tell."""
        with self._lock:
            if not self._counts or self._now() < self._next_line:
                return
            counts, address = dict(self._counts.most_common()), self._address
            self._counts.clear()
            self._next_line = self._now() + PAUSE
        log.warning("refused", source=self._source, reasons=counts, last_address=address)
