"""All consoles of a process: each served in a thread of its own, so that a slow one keeps none waiting."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import structlog
from peewee import PeeweeException

from app.config.reading import Config
from app.database.clock import Clock, make_clock
from app.database.opening import Database
from app.delivering.console import Console
from app.delivering.consoles import find_consoles, map_servers
from app.delivering.courier import Courier
from app.delivering.notes import Notes
from app.host.loading import Plugins
from app.porch.claims import GameServer
from app.porch.errors import DatabaseUnavailable
from app.porch.fields import Secret
from app.porch.masking import SHORTEST_MASKED
from app.porch.types import Http

log = structlog.get_logger()

POLL = 1.0  # seconds between looks at a console's claims
STOP_PATIENCE = 30.0  # seconds for sends under way


class Delivering:
    """Delivers claims to consoles, until told to stop."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        servers: Sequence[GameServer],
        http: Http,
        now: Callable[[], int],
        secrets: Iterable[Secret],
    ) -> None:
        """`now` gives ms since the epoch; `secrets` are hidden in what is kept of answers."""
        clock = make_clock(now)
        hidden = [s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST_MASKED]
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._notes = Notes(database, self._stopping)
        self.servers: Mapping[str, GameServer] = map_servers(servers)
        self.consoles = [
            Console(
                server, database, Courier(database, plugins, server, http, hidden), self._notes,
                clock, self._stopping,
            )
            for server in servers
        ]  # fmt: skip
        self.names = [one.name for one in self.consoles]
        self._next = dict.fromkeys(self.names, 0.0)  # monotonic
        self._pool = ThreadPoolExecutor(max(len(self.consoles), 1), "consoles")
        self._futures: dict[str, Any] = {}

    def delivers_to(self, server_id: str) -> bool:
        """Whether claims of this server are delivered by us, so that no game server may lease them."""
        return server_id in self.servers

    def rest(self, seconds: float) -> None:
        """Until there is news, `seconds` at most."""
        self._woken.wait(seconds)
        self._woken.clear()

    def serve(self) -> bool:
        """Begin a round at each console whose turn it is; never waits for one. False: rest now."""
        for console in self.consoles if not self._stopping.is_set() else ():
            if not console.is_busy and time.monotonic() >= self._next[console.name]:
                console.is_busy = True
                self._futures[console.name] = self._pool.submit(self._serve_console, console)
        return False

    def serve_once(self) -> None:
        """A whole round at each console, one after the other, with a look at all that waits."""
        for console in self.consoles:
            while console.serve(is_look=True):
                pass

    def _serve_console(self, console: Console) -> None:
        is_more = False
        try:
            is_more = console.serve()
        except (DatabaseUnavailable, PeeweeException) as error:
            log.warning("console waits", console=console.name, reason=type(error).__name__)
        except Exception as error:  # its leases run out
            log.error("console not served", console=console.name, exc_info=error)
        finally:
            self._next[console.name] = time.monotonic() + (0.0 if is_more else POLL)
            console.is_busy = False
            if is_more:
                self._woken.set()

    def stop(self, patience: float = STOP_PATIENCE) -> bool:
        """Begin nothing more; wait up to `patience` seconds for what is being sent.

        False where something still is: it is unknown once its lease runs out, unless it is noted.
        """
        self._stopping.set()
        self._woken.set()
        _, late = wait(list(self._futures.values()), patience)
        for console in self.consoles:
            console.stop()
        self._pool.shutdown(wait=False)
        if not late:
            self._notes.stop()
        return not late


def open_delivering(
    config: Config, database: Database, plugins: Plugins, http: Http, now: Clock,
    secrets: Iterable[Secret],
) -> Delivering:  # fmt: skip
    """That of a config: to the consoles of its plugins, or to none, or some, where it says so."""
    chosen = config.dispatcher.consoles
    servers = [
        one
        for one in find_consoles(plugins)[0]
        if chosen is True or (chosen and one.plugin in chosen)
    ]
    return Delivering(database, plugins, servers, http, now, secrets)
