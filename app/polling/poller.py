"""Asks the sources that are due, each by whichever host is the first, in a thread of its own."""

import threading
from collections.abc import Callable

import structlog
from peewee import PeeweeException

from app.database.clock import make_clock
from app.database.named_leases import NamedLease
from app.database.opening import Database
from app.database.source_models import Poll
from app.host.loading import Plugins
from app.network.client import Http
from app.polling.places import Overtaken, Places, read_place, read_polled
from app.porch.errors import DatabaseUnavailable, NotReady
from app.porch.types import Http as PluginHttp

log = structlog.get_logger()

LEASE = 180_000  # ms; longer than any poll should take
LOOK_EVERY = 1_000  # ms
AGAIN = 60.0  # seconds after a poll that failed
LONGEST_AGAIN = 3600.0  # seconds
PATIENCE = 10.0  # seconds for what is under way, when told to stop


class Poller:
    """The polls of all sources that have one."""

    def __init__(
        self, database: Database, plugins: Plugins, http: Http, now: Callable[[], int]
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._http: PluginHttp = http
        self._now = make_clock(now)
        self._places = Places(database)
        self._leases = {
            source: NamedLease(database, f"poll {source}", now, LEASE)
            for source in plugins.list_answerers("poll_source")
        }
        self._next_look = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def sources(self) -> list[str]:
        """Those that are polled."""
        return list(self._leases)

    def begin_due(self) -> int:
        """Have what is due asked, while votes go on being paid; 0, since nothing is paid here."""
        now = self._now.ticks()
        if not self._leases or now < self._next_look or (self._thread and self._thread.is_alive()):
            return 0
        self._next_look = now + LOOK_EVERY
        if any(self._is_due(source) for source in self._leases):
            self._thread = threading.Thread(target=self.poll_due, name="polling", daemon=True)
            self._thread.start()
        return 0

    def poll_due(self) -> None:
        """Ask each source that is due and not another host's."""
        for source, lease in self._leases.items():
            if self._stopping.is_set():
                return
            try:
                with self._database.connection_context():
                    if self._is_due(source) and lease.hold():
                        self.poll(source)
                        lease.let_go()
            except Overtaken as error:
                log.info("polled twice", source=source, reason=str(error))
            except (PeeweeException, DatabaseUnavailable) as error:
                log.warning("not polled", source=source, reason=type(error).__name__)
            except Exception as error:
                log.error("not polled", source=source, exc_info=error)

    def poll(self, source: str) -> int:
        """Ask a source now; how many deliveries were new. What it raises is kept as the reason.

        Raises Overtaken where somebody else has kept another poll meanwhile.
        """
        row = self._places.find(source)
        try:
            answers = self._plugins.only("poll_source", source)(
                place=read_place(row),
                http=self._http,
                settings=self._plugins.settings,
                now=self._now(),
            )
            polled = read_polled(answers[0]) if answers else None
        except NotReady as error:
            self._fail(row, error.reason, error.retry_in)
            return 0
        except Exception as error:
            log.error("poll_source failed", source=source, exc_info=error)
            self._fail(row, f"the plugin failed: {type(error).__name__}", None)
            return 0
        if polled is None:  # it has nothing to ask, as with no site configured
            self._places.note_failure(row, "", self._now() + int(LONGEST_AGAIN * 1000), self._now())
            return 0
        if polled.fault:
            log.warning("not polled whole", source=source, reason=polled.fault)
        new = self._places.keep(row, polled, self._now())
        if new:
            log.info("polled", source=source, new=new)
        return new

    def stop(self) -> None:
        """Begin nothing more, and wait a little for what is under way."""
        self._stopping.set()
        if self._thread:
            self._thread.join(PATIENCE)

    def _fail(self, row: Poll, reason: str, retry_in: float | None) -> None:
        log.warning("not polled", source=row.source, reason=reason)
        pause = min(max(AGAIN if retry_in is None else retry_in, 1.0), LONGEST_AGAIN)
        self._places.note_failure(row, reason, self._now() + int(pause * 1000), self._now())

    def _is_due(self, source: str) -> bool:
        return int(self._places.find(source).due_at) <= self._now()
