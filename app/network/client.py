"""The way out: kept connections, with limits on everything an answer could do to us."""

import io
import ssl
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.util import create_urllib3_context

from app.network.addresses import Address, split_address
from app.network.exchange import (
    TARGET,
    Answer,
    Hungup,
    NotHttp,
    act_before,
    exchange,
    find_left,
    is_quiet,
    write_request,
)
from app.network.proxies import Proxy, ProxyRefused, choose_proxy
from app.network.resolving import Resolver, reach_address
from app.porch.errors import NetworkFailed

PORTS = {"http": 80, "https": 443}
KEPT_PER_HOST = 256  # connections
PROXY_WANTS_LOGIN = 407


class Unreached(OSError):
    """There is no connection to be had; `is_late`: not in time."""

    def __init__(self, is_late: bool) -> None:
        super().__init__()
        self.is_late = is_late


@dataclass(frozen=True)
class HttpResponse:
    """An answer. Few ask for its headers, so the mapping is made for those."""

    status: int
    fields: Mapping[str, str] | Iterable[tuple[str, str]]
    body: bytes

    @cached_property
    def headers(self) -> Mapping[str, str]:
        return urllib3.HTTPHeaderDict(self.fields)


class Http:
    """The worker's connections, kept a host. Redirects are never followed; a POST goes out once."""

    def __init__(
        self,
        only_to: Sequence[str] = (),
        resolver: Resolver | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        """With `only_to`, addresses as https://host: nothing leaves for anybody else.

        With a `proxy`, all that it serves is reached through it.
        """
        self._proxy = proxy
        self._resolver = resolver or Resolver()
        self._only_to = {split_address(address).origin for address in only_to}
        self._kept: dict[str, list[Any]] = defaultdict(list)
        self._trust: ssl.SSLContext | None = None  # made once: reading the certificates takes long

    def close(self) -> None:
        """Close every kept connection."""
        for connections in list(self._kept.values()):
            while connections:
                connections.pop().close()

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
        or it was too long. Looking the host's name up is a part of `connect`, and so are all of its
        addresses.
        """
        deadline = time.monotonic() + total
        try:
            address = split_address(url)
            if self._only_to and address.origin not in self._only_to:
                raise NetworkFailed(f"nothing is sent to {address.host}: see [network] only_to")
            request = self._write(method, url, address, headers or {}, body)
            answer = self._exchange_with_retry(method, address, request, connect, deadline, limit)
            if answer.status == PROXY_WANTS_LOGIN and self._find_forwarder(address):
                raise ProxyRefused(answer.status)  # no word of the destination's
            return HttpResponse(answer.status, answer.headers, read_body(answer, limit))
        except (urllib3.exceptions.HTTPError, OSError, ValueError, NotHttp) as error:
            if time.monotonic() > deadline:
                raise NetworkFailed(f"no whole answer within {total:g} s") from None
            raise NetworkFailed(describe_failure(error)) from None

    def read_certificate_end(self, origin: str, seconds: float) -> int | None:
        """When the certificate of https://host ends, in ms since the epoch; None for http.

        A connection is made for it, within `seconds`, and nothing is said. Raises NetworkFailed where
        there is none to be had, also for a certificate that is not trusted.
        """
        if not origin.startswith("https:"):
            return None
        try:
            tls = self._connect(split_address(origin), time.monotonic() + seconds)
            with tls:
                ends = tls.getpeercert()["notAfter"]
        except (OSError, ValueError, NotHttp) as error:
            raise NetworkFailed(describe_failure(error)) from None
        return int(ssl.cert_time_to_seconds(ends) * 1000)

    def _find_forwarder(self, address: Address) -> Proxy | None:
        """The proxy that is asked itself: for http; https has a tunnel."""
        is_plain = address.origin.startswith("http:")
        return choose_proxy(self._proxy, address) if is_plain else None

    def _write(
        self,
        method: str,
        url: str,
        address: Address,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> bytes:
        target = address.target
        if not TARGET.fullmatch(target):  # what may not stand there is percent-encoded
            target = urllib3.util.parse_url(url).request_uri
        if proxy := self._find_forwarder(address):  # it is told the whole address
            target, headers = f"http://{address.host}{target}", {**headers, **proxy.headers}
        return write_request(method, target, address.host, headers, body)

    def _exchange_with_retry(
        self,
        method: str,
        address: Address,
        request: bytes,
        connect: float,
        deadline: float,
        limit: int,
    ) -> Answer:
        """A kept connection may be closed by the peer just as we use it: a GET is then asked anew."""
        if connection := self._find_kept(address):
            try:
                return self._exchange(connection, address, request, deadline, limit)
            except (Hungup, ConnectionError, ssl.SSLEOFError):
                if method != "GET":
                    raise
        connection = self._connect(address, min(time.monotonic() + connect, deadline))
        return self._exchange(connection, address, request, deadline, limit)

    def _exchange(
        self,
        connection: Any,
        address: Address,
        request: bytes,
        deadline: float,
        limit: int,
    ) -> Answer:
        try:
            has_body = not request.startswith(b"HEAD ")
            answer = exchange(connection, request, deadline, limit, has_body)
        except BaseException:
            connection.close()  # in an unknown state, never used again
            raise
        kept = self._kept[address.origin]
        if answer.may_keep and len(kept) < KEPT_PER_HOST:
            kept.append(connection)
        else:
            connection.close()
        return answer

    def _find_kept(self, address: Address) -> Any:
        kept = self._kept[address.origin]
        try:
            while kept:
                connection = kept.pop(0)  # the oldest: those that have ended are all found
                if is_quiet(connection):
                    return connection
                connection.close()
        except IndexError:  # somebody else took the last one
            pass
        return None

    def _connect(self, address: Address, deadline: float) -> Any:
        parts = urlsplit(address.origin)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("not an http or https address")
        port = parts.port or PORTS[parts.scheme]
        proxy = choose_proxy(self._proxy, address)
        nearest = (proxy.host, proxy.port) if proxy else (parts.hostname, port)
        connection = self._reach(*nearest, deadline)
        if parts.scheme == "http":
            return connection
        try:
            if proxy:
                proxy.open_tunnel(connection, parts.hostname, port, deadline)
            return self._secure(connection, parts.hostname, deadline)
        except BaseException:
            connection.close()
            raise

    def _reach(self, host: str, port: int, deadline: float) -> Any:
        """A connection to the first of its addresses that takes one; each has its share of the time."""
        addresses = self._resolver.find(host, deadline)
        is_late = False
        for number, address in enumerate(addresses):
            try:
                share = find_left(deadline) / (len(addresses) - number)
                return reach_address(address, port, share)
            except OSError as error:
                is_late = isinstance(error, TimeoutError)
        raise Unreached(is_late)

    def _secure(self, connection: Any, host: str, deadline: float) -> ssl.SSLSocket:
        if self._trust is None:
            trust = create_urllib3_context()
            trust.load_default_certs()
            self._trust = trust  # whole: other threads use it at once
        tls = self._trust.wrap_socket(
            connection, server_hostname=host, do_handshake_on_connect=False
        )
        try:
            act_before(tls, tls.do_handshake, deadline)
        except BaseException:
            tls.close()
            raise
        return tls


def list_unused_proxies(environment: Mapping[str, str]) -> list[str]:
    """The variables that ask for a proxy on the way out: the config alone does, which should be said."""
    asking = ("http_proxy", "https_proxy", "all_proxy")
    return sorted(name for name, value in environment.items() if name.lower() in asking and value)


def read_body(answer: Answer, limit: int) -> bytes:
    """The body, unpacked where it came packed although nobody asked for that."""
    if b"content-encoding" not in answer.names:
        return answer.body
    packing = [value for name, value in answer.headers if name.lower() == "content-encoding"]
    headers = {"Content-Encoding": ", ".join(packing)}
    packed: Any = io.BytesIO(answer.body)
    body = urllib3.HTTPResponse(packed, headers, preload_content=False).read(limit + 1)
    if len(body) > limit:
        raise NetworkFailed(f"the answer is longer than {limit} bytes")
    return body


def describe_failure(error: BaseException) -> str:
    """A short cause without addresses or secrets."""
    if isinstance(error, Unreached):
        return "no connection in time" if error.is_late else "no connection"
    if isinstance(error, ProxyRefused):
        return f"the proxy answered {error.status}: see [network] proxy"
    if type(error).__name__ == "gaierror":  # there is no such name
        return "no connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "no trusted TLS connection"
    return f"the exchange failed ({type(error).__name__})"
