"""How many at once: threads that wait for others leave enough of them for pages.

There are eight: two check passwords of strangers, one of known browsers, two ask an OpenID provider, two act.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.porch.errors import GuerdonError

PATIENCE = 0.5  # seconds that one waits for a slot; as many wait as there are slots


class AllTaken(GuerdonError):
    """As many as may are at it already."""


class Slots:
    """So many may be at it at once."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._here = threading.BoundedSemaphore(2 * most)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Be one of them. Raises AllTaken."""
        with take_one(self._here, 0), take_one(self._free, PATIENCE):
            yield


@contextmanager
def take_one(slots: threading.BoundedSemaphore, patience: float) -> Iterator[None]:
    if not slots.acquire(timeout=patience):
        raise AllTaken("others are at it: try again in a moment")
    try:
        yield
    finally:
        slots.release()


PASSWORDS, KNOWN, PROVIDER, ACTS = Slots(2), Slots(1), Slots(2), Slots(2)
