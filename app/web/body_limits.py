"""What is read before anybody knows who sent it is bounded in number, bytes and time, of all together.

How long one body may be says app/web/webhooks.py, and the plugin whose it is.

Whoever holds us up longest makes room, so that a sender who is quick gets in through any crowd.
"""

import threading
from typing import Any

from app.porch.errors import BadDelivery, Crowded

MOST_BODIES = 200  # that are waited for at once, in each process
MOST_BYTES = 8 << 20  # that they hold together
PATIENCE = 10.0  # seconds for a body to come whole
STEP = 65536  # bytes


class Reading:
    """A body that comes in; whoever reads it finds its end once it is late, or has to make room."""

    __slots__ = ("is_evicted", "is_late", "size", "stream")

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.size = 0
        self.is_late = self.is_evicted = False

    def be_late(self) -> None:
        self.is_late = True
        self.stream.end()

    def make_room(self) -> None:
        self.is_evicted = True
        self.stream.end()


class BodyLimits:
    """All bodies that this process waits for. A stream that cannot be ended is just read."""

    def __init__(
        self, most: int = MOST_BODIES, most_bytes: int = MOST_BYTES, patience: float = PATIENCE
    ) -> None:
        """`patience` in seconds, for a whole body."""
        self._most, self._most_bytes, self._patience = most, most_bytes, patience
        self._readings: dict[Reading, None] = {}  # the oldest first
        self._held = 0
        self._lock = threading.Lock()

    def read(self, stream: Any, length: int) -> bytes:
        """At most `length` bytes of a stream; fewer where it ends before.

        Raises Crowded where it had to make room, and BadDelivery (408) where it came too slowly.
        """
        is_here = getattr(stream, "is_here", None)
        if is_here is None or is_here(length):  # as most are: nobody is waited for
            return read_to(stream, length)
        reading = Reading(stream)
        self._enter(reading)
        timer = stream.start_timer(self._patience, reading.be_late)
        try:
            data = read_to(stream, length, lambda size: self._grow(reading, size))
        except Exception:
            if not (reading.is_late or reading.is_evicted):
                raise
        finally:
            timer.close()
            self._leave(reading)
        if reading.is_late or reading.is_evicted:
            data = b""  # else the error's traceback holds it
        self._refuse_ended(reading)
        return data

    def _refuse_ended(self, reading: Reading) -> None:
        if reading.is_evicted:
            raise Crowded("too many requests are coming in at once")
        if reading.is_late:
            raise BadDelivery(f"the body did not come within {self._patience:g} s", 408)

    def _enter(self, reading: Reading) -> None:
        with self._lock:
            self._readings[reading] = None
            oldest = next(iter(self._readings)) if len(self._readings) > self._most else None
        if oldest:
            self._evict(oldest)

    def _grow(self, reading: Reading, size: int) -> None:
        """It holds so many bytes more; of those that hold any the oldest goes, until all fit in."""
        with self._lock:
            if reading in self._readings:
                reading.size += size
                self._held += size
            is_full = self._held > self._most_bytes
            oldest = next((one for one in self._readings if one.size), None) if is_full else None
        if oldest:
            self._evict(oldest)

    def _evict(self, reading: Reading) -> None:
        self._leave(reading)
        reading.make_room()

    def _leave(self, reading: Reading) -> None:
        with self._lock:
            if reading in self._readings:
                del self._readings[reading]
                self._held -= reading.size


def read_to(stream: Any, length: int, note: Any = None) -> bytes:
    """Up to `length` bytes, in steps where somebody wants to `note` each step's size."""
    data = stream.read(min(length, STEP) if note else length)
    if len(data) == length:
        return bytes(data)
    parts = [data]
    missing = length - len(data)
    while parts[-1] and missing:
        if note:
            note(len(parts[-1]))
        parts.append(stream.read(min(missing, STEP) if note else missing))
        missing -= len(parts[-1])
    return b"".join(parts)
