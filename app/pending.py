"""An answer that is still to come: one place to put it, any number of places to wait for it."""

import threading
import time
from typing import Any, Generic, TypeVar, cast

from app.deadlines import DEADLINES

Answer = TypeVar("Answer")


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
            latch = close_latch(seconds)
            self._waiters.append(latch)
            # Looked at again: it may have come before the latch was there to be opened.
            if self._is_here:
                open_latch(latch)
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
            open_latch(latch)


def close_latch(seconds: float) -> Any:
    """A latch to be waited at, for so many seconds at most, or a little longer."""
    latch = threading.Lock()
    latch.acquire()
    DEADLINES.begin(latch, time.monotonic() + seconds, latch.release)
    return latch


def open_latch(latch: Any) -> None:
    """Let on whoever waits at it; nothing where that was done."""
    if DEADLINES.end(latch):
        latch.release()
