"""Many callers, one piece of work: whoever comes while it runs is served together by the next.

One thread does the work and owns its database connection; under gevent it is a greenlet.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers what is asked while the work runs, up to `limit` items, and answers each caller."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Answer]],
        finish: Callable[[], object],
        limit: int = 64,
    ) -> None:
        """`work` takes the items and returns their answers in order; what it raises all get.

        `finish` is called in the same thread after the last work.
        """
        self._name = name
        self._work = work
        self._finish = finish
        self._limit = limit
        self._queue: queue.SimpleQueue[tuple[Item, Future[Answer]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, item: Item, timeout: float) -> Answer:
        """The answer for one item; TimeoutError after `timeout` seconds, though the work goes on."""
        if self._thread is None:
            self._start()
        future: Future[Answer] = Future()
        self._queue.put((item, future))
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise

    def stop(self, timeout: float = 10.0) -> None:
        """Work off what was asked, then end the thread; waits up to `timeout` seconds for it."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        waiting: list[tuple[Item, Future[Answer]] | None] = []
        while None not in waiting:
            waiting = [self._queue.get()]
            while len(waiting) < self._limit:
                try:
                    waiting.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            # Who has stopped waiting is not worked for; the rest cannot be cancelled any more.
            live = [one for one in waiting if one and one[1].set_running_or_notify_cancel()]
            if live:
                self._answer(live)
        self._finish()

    def _answer(self, live: list[tuple[Item, Future[Answer]]]) -> None:
        try:
            answered = list(zip(live, self._work([item for item, _ in live]), strict=True))
        except BaseException as error:
            for _, future in live:
                future.set_exception(error)
        else:
            for (_, future), answer in answered:
                future.set_result(answer)
