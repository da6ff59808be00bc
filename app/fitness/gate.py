"""Nothing is paid until the database was once found fit; then nobody looks again."""

import threading
import time
from collections.abc import Callable

import structlog

from app.porch.errors import DatabaseUnavailable

log = structlog.get_logger()

PAUSE = 1.0  # seconds between looks at a database that was not fit


class Gate:
    """Closed until `inspect` has no fault to tell; asked by whoever comes, in turn."""

    def __init__(self, inspect: Callable[[], list[str]]) -> None:
        self._inspect = inspect
        self._is_open = False
        self._inspected_at = 0.0
        self._faults: list[str] = []
        self._lock = threading.Lock()

    def require(self) -> None:
        """Raise DatabaseUnavailable, which says why, until the database is fit to pay with."""
        if self._is_open:
            return
        with self._lock:
            if not self._is_open and time.monotonic() > self._inspected_at + PAUSE:
                self._faults = self._inspect()
                self._inspected_at = time.monotonic()
                self._is_open = not self._faults
                for fault in self._faults:
                    log.error("not fit to pay", fault=fault)
        if not self._is_open:
            raise DatabaseUnavailable("; ".join(self._faults) or "the database is being inspected")
