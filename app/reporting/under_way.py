"""The sends that are under way in this process: begun, sent in their destination's threads, recorded."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

import structlog

from app.database.clock import Clock
from app.database.opening import Database
from app.host.loading import Plugins
from app.metrics.families import REPORT_SEND_SECONDS, REPORT_SENDS
from app.porch.types import Http, Report
from app.reporting import store
from app.reporting.destinations import Destination, Destinations
from app.reporting.recorder import Ended, Recorder
from app.reporting.schedule import choose_due
from app.reporting.sender import Sent, send_one
from app.reporting.store import LeasedReport

log = structlog.get_logger()


class UnderWay:
    """Begins sends and sees them through; one report is sent by one process at a time."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        http: Http,
        now: Clock,
        secrets: Sequence[str],
        destinations: Destinations,
        tell_end: Callable[[], object],
    ) -> None:
        """`secrets` are hidden in what is kept of answers; `tell_end` is called after each send."""
        self._database = database
        self._plugins = plugins
        self._http = http
        self._now = now
        self._secrets = secrets
        self._destinations = destinations
        self._tell_end = tell_end
        self._futures: dict[int, Future[None]] = {}  # by the report's id
        self.stopping = threading.Event()
        self._recorder = Recorder(database, self.stopping)

    def stop(self, patience: float) -> bool:
        """Begin nothing more; wait up to `patience` seconds for what is under way. False where some is."""
        self.stopping.set()
        self._destinations.stop()
        _, late = wait(list(self._futures.values()), patience)
        return not late

    def stop_recording(self) -> None:
        """End the thread that records, after what it has in hand."""
        self._recorder.stop()

    def find(self, id: int) -> "Future[None] | None":
        """What the send of this report can be waited for by, if it is under way here."""
        return self._futures.get(id)

    def count(self) -> int:
        """How many there are."""
        return len(self._futures)

    def begin(
        self, places: Mapping[str, int], where: Any, limit: int, by_id: bool = False
    ) -> set[int]:
        """Begin to send up to `limit` reports that match; the ids of those that are ours.

        `places` were reserved, for each reporter so many; what is not used is given back in any case.
        """
        unused = dict(places)
        begun: set[int] = set()
        try:
            if not self.stopping.is_set():
                for row in self._lease(where, limit, by_id):
                    self._submit(row)
                    unused[row.reporter] -= 1
                    begun.add(row.id)
        finally:
            for name, count in unused.items():
                self._destinations.open(name).give_back(count)
        return begun

    def _lease(self, where: Any, limit: int, by_id: bool) -> list[LeasedReport]:
        ticks, now = self._now.ticks(), self._now()
        running = self._now.find_running(store.LEASE_LENGTH)
        get_schedule = self._destinations.get_schedule
        rows = store.begin_sends(self._database, get_schedule, where, limit, now, by_id, running)
        for row in rows:
            row.began = ticks
        return rows

    def _submit(self, row: LeasedReport) -> None:
        destination = self._destinations.open(row.reporter)
        future = destination.submit(self._send, row, destination)
        self._futures[row.id] = future
        future.add_done_callback(partial(self._forget, row.id))

    def _forget(self, id: int, done: "Future[None]") -> None:
        if self._futures.get(id) is done:  # a later send of the same report may have begun
            del self._futures[id]

    def _send(self, row: LeasedReport, destination: Destination) -> None:
        sent = Sent(is_down=True)
        try:
            report = Report(
                row.reporter, row.kind, row.key, bytes(row.body), row.id, row.sends, row.created_at
            )
            with self._database.give_back():  # this thread lives on
                sent = send_one(
                    self._plugins, self._http, report, self._now(), self._secrets,
                    partial(self._count_left, row),
                )  # fmt: skip
            count_send(row.reporter, sent)
            self._recorder.record(self._plan_next_send(row, sent, destination))
        except Exception as error:
            told = log.bind(reporter=row.reporter, report=row.id)
            told.error("send not recorded", reason=type(error).__name__)
        finally:
            destination.end(sent.is_down, sent.is_unsent, sent.is_late)
            self._tell_end()

    def _plan_next_send(self, row: LeasedReport, sent: Sent, destination: Destination) -> Ended:
        now = self._now()
        # Not since when it waits, but for how long: meanwhile the clock may have been set.
        since = now - row.waited - (self._now.ticks() - row.began)
        sends = row.sends - row.sends_before
        due = choose_due(destination.schedule, sends, since, now, sent.retry_in)
        return Ended(row, sent, now, since, None if sent.is_permanent else due)

    def _count_left(self, row: LeasedReport) -> float:
        """Seconds that a send of this leased report may take; none where it comes too late to begin.

        Then another process may send it already, or soon. This one may have been stopped, or suspended
        with its host, so both clocks are asked: the ticks, and the one that others go by.
        """
        spent = self._now.ticks() - row.began
        if 3 * spent > store.LEASE_LENGTH or self._now() > row.lease_until:
            return 0.0
        return float(store.LEASE_LENGTH - spent) / 1000


def count_send(reporter: str, sent: Sent) -> None:
    result = "delivered"
    if sent.is_unsent or sent.is_late:
        result = "unsent"
    elif sent.reply is None:
        result = "refused" if sent.is_permanent else "failed"
    REPORT_SENDS[reporter, result].inc()
    REPORT_SEND_SECONDS[reporter].observe(sent.latency / 1000)
