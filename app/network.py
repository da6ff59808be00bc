"""The way out: kept connections, with limits on everything an answer could do to us."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import urllib3

from app.deadlines import PlainPool, TLSPool, current, watch
from app.errors import NetworkFailed

CONNECTIONS_PER_HOST = 64


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


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

    def _find_pool(self, parts: SplitResult) -> PlainPool | TLSPool:
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
        current.deadline, current.connection = deadline, None
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
            if current.connection is not None:
                watch.end(current.connection)
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
