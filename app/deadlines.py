"""Connection pools whose exchanges end at their deadline, however slowly the other side drips."""

import threading
import time
from contextlib import suppress
from typing import Any

import urllib3

from app.crashing import reach


class Watch:
    """Ends exchanges that are past their deadline, by shutting their sockets.

    A socket's own timeout starts again with every byte, so a peer that drips would never meet it.
    """

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, AnyConnection]] = {}
        self._lock = threading.Lock()
        self._started = False

    def begin(self, connection: "AnyConnection", deadline: float) -> None:
        self._running[id(connection)] = (deadline, connection)
        if not self._started:
            with self._lock:
                if not self._started:
                    self._started = True
                    threading.Thread(target=self._run, daemon=True, name="http-watch").start()

    def end(self, connection: "AnyConnection") -> bool:
        """False when the exchange had ended already."""
        return self._running.pop(id(connection), None) is not None

    def _run(self) -> None:
        while True:
            time.sleep(0.2)
            now = time.monotonic()
            for deadline, connection in list(self._running.values()):
                if now > deadline and self.end(connection):
                    shut(connection)


def shut(connection: "AnyConnection") -> None:
    socket = connection.sock or connection.last_socket
    if socket is not None:
        with suppress(OSError):  # already gone, which is what we wanted
            socket.shutdown(2)  # SHUT_RDWR: whoever reads from it sees the end


current = threading.local()
watch = Watch()


class Watched:
    """Remembers its socket: http.client lets go of it where the answer ends with the connection."""

    last_socket: Any = None

    def request(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.last_socket, current.connection = None, self
        watch.begin(self, current.deadline)  # type: ignore[arg-type]
        super().request(*args, **kwargs)  # type: ignore[misc]
        self.last_socket = self.sock  # type: ignore[attr-defined]
        reach("network: asked, answer unread")


class WatchedConnection(Watched, urllib3.connection.HTTPConnection):
    pass


class WatchedTLSConnection(Watched, urllib3.connection.HTTPSConnection):
    pass


AnyConnection = WatchedConnection | WatchedTLSConnection


class PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = WatchedConnection


class TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = WatchedTLSConnection
