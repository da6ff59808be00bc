"""What has to end in time: one look now and then finds all that is late, and no timer is set for each.

A timer would be set and cleared several times a vote, for what hardly ever happens.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LOOKS_EVERY = 0.25  # seconds: by so much more than its time something may take


class Deadlines:
    """Acts that are done once their time is over, unless they are called off before; for any thread."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """As in a child, which has none of its parent's threads."""
        self._begun: dict[Any, tuple[float, Callable[[], object]]] = {}
        self._acting = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, key: Any, deadline: float, act: Callable[[], object]) -> None:
        """Have `act` called after `deadline` (by time.monotonic()), unless `key` has ended by then."""
        if self._thread is None:
            self._start()
        self._begun[key] = (deadline, act)

    def end(self, key: Any) -> bool:
        """Call it off; False where it was done, or is no longer to be done."""
        if self._begun.pop(key, None) is not None:  # whoever takes it out says what becomes of it
            return True
        with self._acting:  # it may be under way: it is done when this returns
            return False

    def _start(self) -> None:
        """Without a lock: it would be older than gevent's patches, and two who look do no harm."""
        self._thread = threading.Thread(target=self._look, name="late", daemon=True)
        try:
            self._thread.start()
        except BaseException:  # the next one tries again
            self._thread = None
            raise

    def _look(self) -> None:
        while True:
            time.sleep(LOOKS_EVERY)
            # As MemoryError: the next look finds them; without one they would wait for ever.
            with suppress(Exception):
                self.act_on_late(time.monotonic())

    def act_on_late(self, now: float) -> None:
        """Do what is late; `now` by time.monotonic()."""
        for key, (deadline, act) in self._begun.copy().items():
            if deadline <= now:
                with self._acting:
                    if self._begun.pop(key, None) is not None:
                        act()


DEADLINES = Deadlines()  # of this process
os.register_at_fork(after_in_child=DEADLINES.begin_anew)
