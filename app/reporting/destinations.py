"""A destination for each reporter, with a concurrency limit and a circuit breaker of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog

from app.host.loading import Plugins
from app.metrics.families import REPORTER_PAUSED
from app.porch.types import Schedule
from app.reporting.circuit_breaker import Circuit, CircuitBreaker
from app.reporting.concurrency_limit import ConcurrencyLimit
from app.reporting.schedule import is_schedule

log = structlog.get_logger()


class Destination:
    """Where the reports of one reporter go. A slow one fills its own limit alone."""

    def __init__(
        self, reporter: str, schedule: Schedule, at_once: int, ticks: Callable[[], int]
    ) -> None:
        """`at_once` holds where the schedule does not say; `ticks` gives ms, and is never set."""
        self.schedule = schedule
        self.at_once = max(schedule.at_once or at_once, 1)
        self._log = log.bind(reporter=reporter)
        self._paused = REPORTER_PAUSED[reporter]
        self._breaker = CircuitBreaker(ticks)
        self._limit = ConcurrencyLimit(self._count_allowed)
        self._pool = ThreadPoolExecutor(self.at_once, f"sending-{reporter}")

    @property
    def is_served(self) -> bool:
        """False while nobody seems to be there."""
        return self._breaker.circuit is Circuit.CLOSED

    def _count_allowed(self) -> int:
        match self._breaker.circuit:
            case Circuit.CLOSED:
                return self.at_once
            case Circuit.HALF_OPEN:
                return 1
        return 0

    def reserve(self, wanted: int, spare: int = 0, at_least: int = 1) -> int:
        """How many sends may begin now; ConcurrencyLimit.reserve has the rest of it."""
        return self._limit.reserve(wanted, spare if self.is_served else 0, at_least)

    def give_back(self, count: int) -> None:
        """So many of those reserved did not begin."""
        self._limit.give_back(count)

    def wait_for_room(self, seconds: float) -> None:
        """Until a send may begin, `seconds` at most; it is pointless while nobody is there."""
        self._limit.wait_for_room(seconds, lambda: not self.is_served)

    def pass_on(self) -> None:
        """Who waited for room and needs it no more wakes the next."""
        self._limit.wake(1)

    def end(self, is_down: bool, is_unsent: bool = False, is_late: bool = False) -> None:
        """A send is over; `is_down`: nobody was there; `is_unsent`: not even a plugin that sends it.

        `is_late`: it was too late to begin, which tells nothing of who is there.
        """
        if not is_late:
            self._count_end(is_down, is_unsent)
        self._limit.give_back(1)

    def _count_end(self, is_down: bool, is_unsent: bool) -> None:
        if not (is_down or is_unsent):
            if self._breaker.note_success():
                self._paused.set(0)
                self._log.info("circuit closed")
        elif pause := self._breaker.note_failure(is_certain=is_unsent):
            self._paused.set(1)
            self._log.warning("circuit open", seconds=pause)
            self._limit.wake()

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Run in one of this destination's threads."""
        return self._pool.submit(function, *args)

    def stop(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False)


class Destinations:
    """Those of all reporters, each opened when it is first needed."""

    def __init__(self, plugins: Plugins, at_once: int, ticks: Callable[[], int]) -> None:
        self._plugins = plugins
        self._at_once = at_once
        self._ticks = ticks
        self._open: dict[str, Destination] = {}
        self._lock = threading.Lock()

    def open(self, reporter: str) -> Destination:
        """The destination of a reporter, with the schedule that its plugin wants."""
        with self._lock:
            if reporter not in self._open:
                schedule = self._ask_schedule(reporter)
                self._open[reporter] = Destination(reporter, schedule, self._at_once, self._ticks)
            return self._open[reporter]

    def get_schedule(self, reporter: str) -> Schedule:
        """When its reports are sent again."""
        return self.open(reporter).schedule

    def _ask_schedule(self, reporter: str) -> Schedule:
        try:
            plan = self._plugins.hook.plan_sending
            schedule = plan(reporter=reporter, settings=self._plugins.settings)
        except Exception as error:
            log.error("plan_sending failed", reporter=reporter, exc_info=error)
            schedule = None
        if schedule is None or is_schedule(schedule):
            return schedule or Schedule()
        log.error("plan_sending returned no Schedule of numbers", reporter=reporter)
        return Schedule()

    def stop(self) -> None:
        """Begin nothing more at any of them."""
        for one in list(self._open.values()):
            one.stop()
