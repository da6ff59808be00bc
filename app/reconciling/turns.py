"""Compares by itself, every so often: each turn once, on whichever host is the first to begin it."""

import threading
from collections.abc import Callable

import structlog

from app.config.reconciling import Reconcile
from app.database.reconciliation_models import Reconciliation
from app.reconciling.listing import Stopped
from app.reconciling.reconciler import Reconciler

log = structlog.get_logger()

LOOK_EVERY = 30_000  # ms
PATIENCE = 10.0  # seconds for what is under way, when told to stop


class Turns:
    """The turns of every source that has a list, counted from the epoch."""

    def __init__(self, reconciler: Reconciler, config: Reconcile, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._reconciler = reconciler
        self._config = config
        self._now = now
        self._next_look = 0
        self._thread: threading.Thread | None = None

    def begin_due(self) -> int:
        """Have what is due compared, in a thread of its own: votes that wait do not wait for a site.

        0, since nothing is paid here. It looks twice a minute.
        """
        now = self._now()
        is_early = self._next_look - LOOK_EVERY <= now < self._next_look
        if not self._config.every or is_early or (self._thread and self._thread.is_alive()):
            return 0
        self._next_look = now + LOOK_EVERY
        if any(self._is_due(source) for source in self._reconciler.sources):
            self._thread = threading.Thread(target=self.run_due, name="reconciling", daemon=True)
            self._thread.start()
        return 0

    def run_due(self) -> None:
        """Compare what is due and not another's."""
        try:
            for source in self._reconciler.sources:
                if row := self.take(source):
                    self._reconciler.work(row)
        except Stopped:
            log.info("reconciling stopped")
        except Exception as error:  # the turn is taken over once its lease has run out
            log.error("not reconciled, and tried again", exc_info=error)

    def take(self, source: str) -> Reconciliation | None:
        """This turn of a source, if it is ours to make."""
        results = self._reconciler.results
        row = results.find_turn(source, self._find_slot())
        if row is None:
            return results.begin(source, 0, self._config.heal, "", self._find_slot())
        return row if results.is_left(row) and results.take_over(row) else None

    def stop(self) -> None:
        """Begin nothing more, and wait a little for what is under way."""
        self._reconciler.stop()
        if self._thread:
            self._thread.join(PATIENCE)

    def _is_due(self, source: str) -> bool:
        row = self._reconciler.results.find_turn(source, self._find_slot())
        return row is None or self._reconciler.results.is_left(row)

    def _find_slot(self) -> int:
        """The number of this turn."""
        return self._now() // (self._config.every * 1000)
