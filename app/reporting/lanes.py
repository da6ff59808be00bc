"""A lane for each reporter: so many sends at once and no more, and a pause while nobody is there."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog

from app.host.loading import Plugins
from app.porch.hookspecs import Schedule
from app.reporting.schedule import is_schedule

log = structlog.get_logger()

FAILURES = 10  # in a row, after which nobody seems to be there
PAUSES = (5, 10, 20, 40, 60)  # seconds between looks whether somebody is; the last one repeats
GRUDGE = 0.05  # seconds


class Lane:
    """The sends of one reporter in this process. A slow destination fills its own lane alone.

    While nobody seems to be there reports wait without using up a send, but for one at a time that
    finds out.
    """

    def __init__(
        self, reporter: str, schedule: Schedule, at_once: int, ticks: Callable[[], int]
    ) -> None:
        """`at_once` holds where the schedule does not say; `ticks` gives ms, and is never set."""
        self.reporter = reporter
        self.schedule = schedule
        self.at_once = max(schedule.at_once or at_once, 1)
        self._ticks = ticks
        self._lock = threading.Condition()
        self._under_way = 0
        self._failures = 0
        self._pauses = 0
        self._open_at = -math.inf
        self._grudged_at = 0.0
        self._pool = ThreadPoolExecutor(self.at_once, f"sending-{reporter}")

    @property
    def is_served(self) -> bool:
        """False while nobody seems to be there."""
        return self._failures < FAILURES

    def _count_free(self) -> int:
        if self.is_served:
            return self.at_once - self._under_way
        return 0 if self._is_shut() or self._under_way else 1

    def _is_shut(self) -> bool:
        return self._ticks() < self._open_at

    def reserve(self, wanted: int, spare: int = 0, at_least: int = 1) -> int:
        """How many sends may begin now, at most `wanted`; each is counted as under way.

        `spare` places are left for others; with fewer than `at_least` to give, and sends under way, it
        is 0 for a moment: more may be free soon, and many begin in one commit.
        """
        with self._lock:
            granted = min(wanted, self._count_free() - (spare if self.is_served else 0))
            if granted < 1:
                return 0
            if granted < at_least and self._under_way:
                self._grudged_at = self._grudged_at or time.monotonic()
                if time.monotonic() < self._grudged_at + GRUDGE:
                    return 0
            self._grudged_at = 0.0
            self._under_way += granted
            return granted

    def wait_for_room(self, seconds: float) -> None:
        """Until a send may begin, `seconds` at most; somebody else may be quicker then."""
        with self._lock:
            self._lock.wait_for(lambda: self._count_free() > 0 or not self.is_served, seconds)

    def pass_on(self) -> None:
        """Who waited for room and needs it no more wakes the next."""
        with self._lock:
            self._lock.notify()

    def give_back(self, count: int) -> None:
        """So many of those reserved did not begin."""
        with self._lock:
            self._under_way -= count
            self._lock.notify(count)

    def end(self, is_down: bool, is_unsent: bool = False, is_late: bool = False) -> None:
        """A send is over; `is_down`: nobody was there; `is_unsent`: not even a plugin that sends it.

        `is_late`: it was too late to begin, which tells nothing of who is there.
        """
        with self._lock:
            self._under_way -= 1
            self._lock.notify()
            if is_late:
                return
            if not is_down and not is_unsent:
                if not self.is_served:
                    log.info("somebody is there again", reporter=self.reporter)
                self._failures = self._pauses = 0
                return
            self._failures = FAILURES if is_unsent else self._failures + 1
            if not self.is_served and not self._is_shut():
                pause = PAUSES[-1 if is_unsent else min(self._pauses, len(PAUSES) - 1)]
                self._open_at = self._ticks() + pause * 1000
                self._pauses += 1
                name = {"reporter": self.reporter, "failures": self._failures}
                log.warning("nobody is there: reports wait", **name, seconds=pause)
                self._lock.notify_all()

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        """Run in one of this lane's threads."""
        return self._pool.submit(function, *args)

    def stop(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False)


class Lanes:
    """The lanes of all reporters, each opened when it is first needed."""

    def __init__(self, plugins: Plugins, at_once: int, ticks: Callable[[], int]) -> None:
        self._plugins = plugins
        self._at_once = at_once
        self._ticks = ticks
        self._lanes: dict[str, Lane] = {}
        self._lock = threading.Lock()

    def open(self, reporter: str) -> Lane:
        """The lane of a reporter, with the schedule that its plugin wants."""
        with self._lock:
            if reporter not in self._lanes:
                schedule = self._ask_schedule(reporter)
                self._lanes[reporter] = Lane(reporter, schedule, self._at_once, self._ticks)
            return self._lanes[reporter]

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
        """Begin nothing more in any of them."""
        for lane in list(self._lanes.values()):
            lane.stop()
