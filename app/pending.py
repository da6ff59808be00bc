"""An answer that is still to come: one place to put it, any number of places to wait for it."""

import os
import threading
import time
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

Answer = TypeVar("Answer")
LOOKS_EVERY = 0.25  # seconds, for whoever has waited too long


class Latches:
    """Where threads wait to be let on, each with a time by which it is let on anyhow.

    One look now and then finds whose time is over. A timer for each would be set and cleared twice a vote,
    for what hardly ever happens.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """As in a child, which has none of its parent's threads."""
        self._closed: dict[Any, float] = {}  # when each is opened anyhow, by time.monotonic()
        self._thread: threading.Thread | None = None

    def close(self, seconds: float) -> Any:
        """A latch to be waited at, for so many seconds at most, and then up to LOOKS_EVERY more."""
        if self._thread is None:
            self._start()
        latch = threading.Lock()
        latch.acquire()
        self._closed[latch] = time.monotonic() + seconds
        return latch

    def open(self, latch: Any) -> None:
        """Let on whoever waits at it; nothing where that was done."""
        if self._closed.pop(latch, None) is not None:  # whoever takes it out opens it, once
            latch.release()

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
                self.open_late(time.monotonic())

    def open_late(self, now: float) -> None:
        """Let on all whose time is over; `now` by time.monotonic()."""
        for latch, until in self._closed.copy().items():
            if until <= now:
                self.open(latch)


LATCHES = Latches()  # of this process
os.register_at_fork(after_in_child=LATCHES.begin_anew)


class Pending(Generic[Answer]):
    """Holds an answer, or an error in its place, once it is there.

    A Future does the same; this one makes a lock only for who has to wait, which halves its cost on
    the way of a vote.
    """

    __slots__ = ("_answer", "_error", "_is_here", "_waiters", "is_given_up")

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._is_here = False
        self._waiters: list[Any] = []
        self.is_given_up = False

    def wait(self, seconds: float) -> Answer:
        """The answer; raises the error in its place, or TimeoutError after `seconds`, or a little later."""
        if not self._is_here:
            latch = LATCHES.close(seconds)
            self._waiters.append(latch)
            # Looked at again: it may have come before the latch was there to be opened.
            if self._is_here:
                LATCHES.open(latch)
            else:
                latch.acquire()
                if not self._is_here:
                    raise TimeoutError
        if self._error is not None:
            raise self._error.with_traceback(None)  # others raise it too, each from elsewhere
        return cast("Answer", self._answer)

    def give(self, answer: Answer) -> None:
        """Here it is."""
        self._answer = answer
        self._open()

    def fail(self, error: BaseException) -> None:
        """Who waits gets this error."""
        self._error = error
        self._open()

    def _open(self) -> None:
        self._is_here = True
        for latch in self._waiters:
            LATCHES.open(latch)
