"""The loops that serve inbox, outbox and consoles: in every worker, or alone as `guerdon dispatch`."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from peewee import PeeweeException

from app.delivering.delivering import Delivering
from app.paying.accepting import Deliveries
from app.paying.inbox import Inbox
from app.porch.errors import DatabaseUnavailable
from app.porch.types import OutcomeState
from app.reporting.outbox import Outbox

log = structlog.get_logger()

POLL = 1.0  # seconds between looks at an empty box
AT_ONCE = 16  # events tried at the same time
REST = 10  # times as long as it took to fail an organizer rests, so that the inbox has its turns


class Openable(Protocol):
    """What sources connect to."""

    def open(self) -> None: ...
    def stop(self) -> None: ...


class Dispatcher:
    """Takes what is due and tries it, until told to stop; what is in hand is finished first."""

    def __init__(
        self,
        inbox: Inbox,
        deliveries: Deliveries,
        outbox: Outbox,
        require_fit_database: Callable[[], None],
        organizers: Sequence[Callable[[], int]] = (),
        ports: Openable | None = None,
        delivering: Delivering | None = None,
        poll: float = POLL,
        stopping: threading.Event | None = None,
    ) -> None:
        """`require_fit_database` raises DatabaseUnavailable until it is; `poll` is in seconds.

        `organizers` pay what is due by itself, as rounds of parties and rankings; how many there were.
        `ports` are open while it runs.
        `stopping` is set once nothing more is to be begun, for whoever has to know it too.
        """
        self._organizers = organizers
        self._ports = ports
        self._rests_until: dict[int, float] = {}  # by the organizer's place; monotonic
        self._inbox = inbox
        self._deliveries = deliveries
        self._outbox = outbox
        self._delivering = delivering if delivering and delivering.consoles else None
        self._require_fit_database = require_fit_database
        self._poll = poll
        self._stopping = stopping or threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Run in threads of this process, one a box: neither waits for the other."""
        loops = {"inbox": self._run_inbox, "outbox": self._run_outbox}
        if self._delivering is not None:
            loops["consoles"] = self._run_consoles
        for name, run in loops.items():
            thread = threading.Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        if self._ports:
            self._ports.open()

    def request_stop(self) -> None:
        """Take nothing more; fit for a signal handler."""
        self._stopping.set()

    def stop(self, timeout: float = 20.0) -> None:
        """Take nothing more, and wait up to `timeout` seconds for what is in hand."""
        self.request_stop()
        if self._ports:
            self._ports.stop()
        self._outbox.wake()
        if self._delivering is not None:
            self._delivering.stop(timeout)
        for thread in self._threads:
            thread.join(timeout)

    def run(self) -> None:
        """Until stop(): serve, and rest when there is nothing to do. An outage is waited out."""
        self.start()
        while not self._stopping.wait(self._poll):
            pass
        self.stop()

    def _run_inbox(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, "dispatching") as pool:
            self._loop(lambda: self.serve_once(pool), self._stopping.wait)

    def _run_outbox(self) -> None:
        self._loop(self._outbox.serve, self._outbox.rest)

    def _run_consoles(self) -> None:
        assert self._delivering is not None
        self._loop(self._delivering.serve, self._delivering.rest)

    def _loop(self, serve: Callable[[], bool], rest: Callable[[float], object]) -> None:
        while not self._stopping.is_set():
            try:
                self._require_fit_database()
                busy = serve()
            except (PeeweeException, DatabaseUnavailable) as error:
                log.warning("dispatcher waits", reason=type(error).__name__)
                busy = False
                self._stopping.wait(self._poll)
            except Exception as error:  # this loop heals everything else, so it must live
                log.error("dispatcher failed and goes on", exc_info=error)
                busy = False
                self._stopping.wait(self._poll)
            if not busy:
                rest(self._poll * random.uniform(0.8, 1.2))

    def serve_once(self, pool: ThreadPoolExecutor) -> bool:
        """Try waiting events that are due once; True if there may be more."""
        self._require_fit_database()
        failed = self._organize()
        lease = self._inbox.take_due(AT_ONCE)  # where the database is away, this says so
        now = time.monotonic()
        self._rests_until |= {place: now + REST * took for place, took in failed.items()}
        tries = [pool.submit(self._retry, id_, lease.token) for id_ in lease.ids]
        for one in tries:
            error = one.exception()
            if error is not None:
                log.error("retry failed", exc_info=error)  # its lease runs out, and it comes again
        return len(lease.ids) == AT_ONCE

    def _organize(self) -> dict[int, float]:
        """Pay what is due by itself; where that fails, what waits in the inbox is still tried.

        Which organizers failed, by their places, and how many seconds that took.
        """
        failed: dict[int, float] = {}
        for place, organize in enumerate(self._organizers):
            began = time.monotonic()
            if self._stopping.is_set():
                break
            if began < self._rests_until.get(place, 0.0):
                continue
            try:
                if organize():
                    self._outbox.nudge()
            except Exception as error:
                failed[place] = time.monotonic() - began
                # A statement that takes too long is told as the database's absence, too.
                if isinstance(error, DatabaseUnavailable):
                    log.warning("not organized, and tried again", reason=str(error))
                    break
                log.error("not organized, and tried again", exc_info=error)
        return failed

    def _retry(self, id: int, lease_token: str) -> None:
        if self._deliveries.retry(id, lease_token).state == OutcomeState.SETTLED:
            self._outbox.nudge()
