"""Reports on their way: leased, sent outside any transaction, sent again by their schedule."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from app.database.clock import make_clock
from app.database.models import Report
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.fields import Secret
from app.porch.masking import SHORTEST_MASKED
from app.porch.types import Http
from app.reporting.destinations import Destinations
from app.reporting.store import list_due_reporters
from app.reporting.under_way import UnderWay
from app.reporting.waiting_callers import WaitingCallers

LOOK_EVERY = 1.0  # seconds between looks at all reporters
STOP_PATIENCE = 45.0  # seconds


class Outbox:
    """Sends what is due, each reporter's to its own destination."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        http: Http,
        now: Callable[[], int],
        secrets: Iterable[Secret],
        at_once: int,
    ) -> None:
        """`now` gives ms since the epoch; `secrets` are hidden in what is kept of answers."""
        self._database = database
        self._now = clock = make_clock(now)
        hidden = [s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST_MASKED]
        self._woken = threading.Event()
        self.destinations = Destinations(plugins, at_once, clock.ticks)
        self.under_way = UnderWay(
            database, plugins, http, clock, hidden, self.destinations, self._woken.set
        )
        self.callers = WaitingCallers(database, clock, self.destinations, self.under_way)
        self._hungry: set[str] = set()  # reporters that had no room for all that was due
        self._is_fed = plugins.has("build_report")
        self._has_news = True
        self._next_look = 0.0

    def nudge(self) -> None:
        """Something was paid: there may be something new to send, if any plugin builds reports."""
        if self._is_fed:
            self.wake()

    def wake(self) -> None:
        """Look again at once."""
        self._has_news = True
        self._woken.set()

    def rest(self, seconds: float) -> None:
        """Until there is news or room, `seconds` at most."""
        self._woken.wait(seconds)
        self._woken.clear()

    def stop(self, patience: float = STOP_PATIENCE) -> bool:
        """Begin nothing more; wait up to `patience` seconds for what is under way, and record it.

        False where something still is under way: it stays leased, and is sent again.
        """
        is_done = self.under_way.stop(patience)
        self.callers.stop()
        self.under_way.stop_recording()
        return is_done

    def wait_for(self, ids: Sequence[int], seconds: float) -> None:
        """Send these reports; WaitingCallers.wait_for has the rest of it."""
        self.callers.wait_for(ids, seconds)
        self.wake()

    def serve_once(self) -> bool:
        """Look what is due, and begin to send what there is room for; True if there may be more."""
        self._has_news = True
        return self.serve()

    def serve(self) -> bool:
        """As serve_once, but it looks at all only where there is news, and every LOOK_EVERY."""
        if self._has_news or time.monotonic() >= self._next_look:
            self._has_news = False
            try:
                self._hungry |= list_due_reporters(self._database, self._now())
            except Exception:
                self._has_news = True
                raise
            self._next_look = time.monotonic() + LOOK_EVERY
        began = [self._serve_reporter(name) for name in sorted(self._hungry)]
        return any(began)

    def _serve_reporter(self, name: str) -> bool:
        with self._database.give_back():  # its plugin may look something up
            destination = self.destinations.open(name)
        quarter = destination.at_once // 4  # kept free for reports that somebody waits for
        room = destination.reserve(destination.at_once, spare=quarter, at_least=quarter)
        if not room:
            return False
        due = (Report.reporter == name) & (Report.due_at <= self._now())
        begun = self.under_way.begin({name: room}, due, room)
        if not begun:
            self._hungry.discard(name)
        return len(begun) == room
