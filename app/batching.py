"""Many callers, one piece of work: whoever comes while it runs is served together by the next.

One thread does the work and owns its database connection; under gevent it is a greenlet.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.pending import Pending

Item = TypeVar("Item")
Answer = TypeVar("Answer")
# What is asked, each with the place for its answer; None ends the thread.
Asked = tuple[Item, Pending[Answer]] | None
LOOKS = 4  # within one patience, whether all are here


def expect_nobody() -> int:
    return 0


class Batcher(Generic[Item, Answer]):
    """Gathers what is asked while the work runs, up to `limit` items, and answers each caller."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Answer]],
        finish: Callable[[], object],
        limit: int = 64,
        count_expected: Callable[[], int] = expect_nobody,
        patience: float = 0.0,
    ) -> None:
        """`work` takes the items and returns their answers in order; what it raises all get.

        `finish` is called in the same thread after the last work. While `count_expected` says that
        more are on their way than are here, the work waits for them, `patience` seconds at most.
        """
        self._name = name
        self._work = work
        self._finish = finish
        self._limit = limit
        self._count_expected = count_expected
        self._patience = patience
        self._queue: queue.SimpleQueue[Asked[Item, Answer]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def process(self, item: Item, timeout: float) -> Answer:
        """The answer for one item; TimeoutError after `timeout` seconds, though the work goes on."""
        pending: Pending[Answer] = Pending()
        with self._lock:  # so that nobody asks a thread that was just told to end
            if self._thread is None:
                self._start()
            self._queue.put((item, pending))
        try:
            return pending.wait(timeout)
        except TimeoutError:
            pending.is_given_up = True
            raise

    def stop(self, timeout: float = 10.0) -> None:
        """Work off what was asked, then end the thread; waits up to `timeout` seconds for it."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(timeout)

    def _start(self) -> None:
        """A thread with a queue of its own: the next one must not take the word that ends this one."""
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(self._queue,), name=self._name, daemon=True
        )
        self._thread.start()

    def _run(self, asked: "queue.SimpleQueue[Asked[Item, Answer]]") -> None:
        waiting: list[Asked[Item, Answer]] = []
        while None not in waiting:
            waiting = [asked.get()]
            self._gather(asked, waiting)
            self._wait_for_more(asked, waiting)
            self._gather(asked, waiting)
            live = [one for one in waiting if one and not one[1].is_given_up]
            if live:
                self._answer(live)
        self._finish()

    def _wait_for_more(
        self, asked: "queue.SimpleQueue[Asked[Item, Answer]]", waiting: list[Asked[Item, Answer]]
    ) -> None:
        """A few short sleeps, for as long as some have come in each of them.

        An alarm for each that comes would cost more than it is early; and those of whom none comes are
        still far away, as where each waits for a slow answer.
        """
        before = 0
        for _ in range(LOOKS if self._patience else 0):
            here = len(waiting) + asked.qsize()
            if here == before or here >= min(self._count_expected(), self._limit):
                return
            before = here
            time.sleep(self._patience / LOOKS)

    def _gather(
        self, asked: "queue.SimpleQueue[Asked[Item, Answer]]", waiting: list[Asked[Item, Answer]]
    ) -> None:
        """Add what is there already."""
        while len(waiting) < self._limit:
            try:
                waiting.append(asked.get_nowait())
            except queue.Empty:
                return

    def _answer(self, live: list[tuple[Item, Pending[Answer]]]) -> None:
        try:
            answered = list(zip(live, self._work([item for item, _ in live]), strict=True))
        except BaseException as error:
            # What ends this thread is no affair of those who wait.
            told = error if isinstance(error, Exception) else TimeoutError("it was stopped")
            for _, pending in live:
                pending.fail(told)
        else:
            for (_, pending), answer in answered:
                pending.give(answer)
