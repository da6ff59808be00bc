"""The way out: one urllib3 pool for a worker, with limits on everything an answer could do to us."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from app.errors import NetworkFailed

CONNECTIONS_PER_HOST = 64


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


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


_current = threading.local()
_watch = Watch()


class Watched:
    """Remembers its socket: http.client lets go of it where the answer ends with the connection."""

    last_socket: Any = None

    def request(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.last_socket, _current.connection = None, self
        _watch.begin(self, _current.deadline)  # type: ignore[arg-type]
        super().request(*args, **kwargs)  # type: ignore[misc]
        self.last_socket = self.sock  # type: ignore[attr-defined]


class WatchedConnection(Watched, urllib3.connection.HTTPConnection):
    pass


class WatchedTLSConnection(Watched, urllib3.connection.HTTPSConnection):
    pass


AnyConnection = WatchedConnection | WatchedTLSConnection


class Http:
    """The worker's connections, kept a host. Redirects are never followed; a POST goes out once."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, str], PlainPool | TLSPool] = {}

    def close(self) -> None:
        """Close every kept connection."""
        for pool in list(self._pools.values()):
            pool.close()
        self._pools.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 3.0,
        total: float = 5.0,
        limit: int = 65536,
    ) -> HttpResponse:
        """One exchange; `connect` and `total` in seconds, `limit` in bytes of the answer's body.

        Returns whatever status came. Raises NetworkFailed when there was no whole answer in time
        or it was too long.
        """
        deadline = time.monotonic() + total
        timeout = urllib3.Timeout(connect=min(connect, total), read=total)
        for last_try in (method != "GET", True):
            try:
                return self._exchange(
                    method, url, body, dict(headers or {}), timeout, deadline, limit
                )
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise NetworkFailed(f"no whole answer within {total:g} s") from None
                # A kept connection may be closed by the peer just as we use it: a GET may ask anew.
                if last_try or not isinstance(error, urllib3.exceptions.ProtocolError):
                    raise NetworkFailed(describe_failure(error)) from None
        raise AssertionError("the second try returns or raises")

    def _find_pool(self, parts: SplitResult) -> "PlainPool | TLSPool":
        pool = self._pools.get((parts.scheme, parts.netloc))
        if pool is None:
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("not an http or https address")
            pool_class = TLSPool if parts.scheme == "https" else PlainPool
            pool = pool_class(parts.hostname, parts.port, maxsize=CONNECTIONS_PER_HOST, block=False)
            self._pools[parts.scheme, parts.netloc] = pool
        return pool

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout: urllib3.Timeout,
        deadline: float,
        limit: int,
    ) -> HttpResponse:
        parts = urlsplit(url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        _current.deadline, _current.connection = deadline, None
        response = None
        try:
            response = self._find_pool(parts).urlopen(
                method, path, body=body, headers=headers, redirect=False, retries=False,
                preload_content=False, timeout=timeout,
            )  # fmt: skip
            content = read_body(response, deadline, limit)
            response.release_conn()
            return HttpResponse(response.status, response.headers, content)
        finally:
            if _current.connection is not None:
                _watch.end(_current.connection)
            if response is not None and response.connection is not None:
                response.close()  # not released above: in an unknown state, never used again


def read_body(response: urllib3.BaseHTTPResponse, deadline: float, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        chunk = response.read(limit + 1 - size)
        if time.monotonic() > deadline:
            raise TimeoutError  # what the watch has cut short may look whole
        if not chunk:
            return b"".join(parts)
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise NetworkFailed(f"the answer is longer than {limit} bytes")


def describe_failure(error: BaseException) -> str:
    """A short cause without addresses or secrets."""
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # urllib3 derives it from the next
        return "no connection"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "no answer in time"
    if isinstance(error, urllib3.exceptions.SSLError):
        return "no trusted TLS connection"
    return f"the exchange failed ({type(error).__name__})"


class PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = WatchedConnection


class TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = WatchedTLSConnection
