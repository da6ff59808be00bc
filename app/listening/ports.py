"""The ports that plugins' listeners are at, in each process that serves the boxes."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from app.database.opening import Database
from app.host.loading import Plugins
from app.listening.clients import Client, Crowd
from app.listening.tally import Tally
from app.metrics.families import DELIVERIES
from app.porch.errors import BadDelivery, GuerdonError
from app.porch.listeners import Listener
from app.porch.types import Delivery, Outcome, OutcomeState

log = structlog.get_logger()

BACKLOG = 512
LOOK_EVERY = 0.5  # seconds
AGAIN = 5.0  # seconds after which a port that is taken is tried again
PATIENCE = 10.0  # seconds for who is being served, when told to stop


class Ports:
    """All listeners of this process. Several processes of a host share a port: the system chooses."""

    def __init__(
        self, plugins: Plugins, database: Database, receive: Callable[[Delivery], Outcome]
    ) -> None:
        """`receive` pays or keeps a delivery."""
        self._plugins = plugins
        self._database = database
        self._receive = receive
        self._ports: list[Port] = []

    def open(self) -> None:
        """Listen, from now on, where the plugins want it; one that fails costs no other."""
        facts = {"deliver": self._deliver, "settings": self._plugins.settings}
        for answer in self._plugins.ask_each("open_listeners", facts):
            if answer.error is not None:
                log.error("open_listeners failed", plugin=answer.plugin, exc_info=answer.error)
            for listeners in answer.value or ():
                self._ports += [Port(one, self._give_back) for one in listeners]
        for port in self._ports:
            port.start()

    def stop(self) -> None:
        """Take nobody more, and finish with who is there."""
        for port in self._ports:
            port.request_stop()
        for port in self._ports:
            port.wait()
        self._ports.clear()

    def _deliver(self, delivery: Delivery) -> Outcome:
        outcome = self._receive(delivery)
        DELIVERIES[delivery.source, outcome.state].inc()
        return outcome

    def _give_back(self) -> None:
        if not self._database.is_closed():
            self._database.close()


class Port:
    """One listener: a thread that accepts, and one for each client."""

    def __init__(self, listener: Listener, clean_up: Callable[[], None]) -> None:
        """`clean_up` is called in each client's thread at its end."""
        self._listener = listener
        self._clean_up = clean_up
        self._crowd = Crowd()
        self._tally = Tally(listener.source)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=listener.source, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        self._stopping.set()

    def wait(self) -> None:
        """Until who is there has been served, or PATIENCE is over."""
        self._thread.join(PATIENCE)
        self._crowd.is_empty.wait(PATIENCE)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with open_port(self._listener.bind) as port:
                    self._accept(port)
            except OSError as error:
                where = {"source": self._listener.source, "bind": self._listener.bind}
                log.error("cannot listen, and tries again", **where, reason=str(error))
                self._stopping.wait(AGAIN)

    def _accept(self, port: socket.socket) -> None:
        """Until told to stop; who is connected by then is still served."""
        port.settimeout(LOOK_EVERY)
        while True:
            with suppress(TimeoutError):
                connection, address = port.accept()
                self._begin(connection, str(address[0]))
                continue
            self._tally.tell()
            if self._stopping.is_set():
                return

    def _begin(self, connection: socket.socket, address: str) -> None:
        listener = self._listener
        client = Client(connection, address, listener.patience, listener.limit)
        self._crowd.enter(client)
        try:
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self._crowd.leave(client)
            client.close()
            time.sleep(LOOK_EVERY)

    def _serve(self, client: Client) -> None:
        try:
            self._listener.serve(client)
        except BadDelivery as error:
            self._refuse(client, str(error))
        except TimeoutError:
            self._refuse(client, "it said too little in its time")
        except OSError:
            self._refuse(client, "it hung up")
        except GuerdonError as error:
            self._refuse(client, str(error))
        except Exception as error:
            log.error("a listener failed", source=self._listener.source, exc_info=error)
        finally:
            self._crowd.leave(client)
            client.close()
            self._clean_up()

    def _refuse(self, client: Client, reason: str) -> None:
        DELIVERIES[self._listener.source, OutcomeState.REFUSED].inc()
        reason = "it made room for others" if client.is_evicted else reason
        self._tally.note(reason, client.sender)


def open_port(bind: str) -> socket.socket:
    """A listening socket that other processes of ours may have too; raises OSError."""
    host, _, number = bind.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    port = socket.socket(family, socket.SOCK_STREAM)
    try:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port.bind((host, int(number)))
        port.listen(BACKLOG)
    except BaseException:
        port.close()
        raise
    return port
