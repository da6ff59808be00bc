"""One HTTP/1.1 exchange on a connection: bytes out, a whole answer in, by a deadline.

urllib3 makes the connection and llhttp reads the answer. What http.client would add, a parse of the
headers as if they were an e-mail, costs more than all the rest of a vote's fetch.
"""

import _socket
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any, TypeVar

import httptools

from app.deadlines import DEADLINES
from app.failpoints import reach
from app.porch.errors import NetworkFailed

LARGEST_HEAD = (
    65536  # bytes: of an answer's head; of what frames its chunks, and as much as they hold
)
Result = TypeVar("Result")
MOST_HEADERS = 100
AT_ONCE = 65536  # bytes
TARGET = re.compile(r"[!-~]+")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[^\r\n\0]*")
FRAMING = (b"content-length", b"transfer-encoding")


class NotHttp(Exception):
    """What came in is no HTTP, or not all of it."""


class Hungup(NotHttp):
    """The other side closed before a byte of its answer: perhaps it never saw the request."""


class Answer:
    """An answer as it comes in: llhttp calls what begins with on_."""

    def __init__(self, limit: int, has_body: bool = True) -> None:
        """`limit`: bytes of its body, as they are sent; `has_body` is False for what answers a HEAD."""
        self._parser: Any = httptools.HttpResponseParser(self)
        self._limit = limit
        self._has_body = has_body
        self._parts: list[bytes] = []
        self._size = self._received = 0
        self._is_framed = False
        self.status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self.names: set[bytes] = set()  # of its headers, in small letters
        self.is_whole = False
        self.may_keep = False  # whether its connection is fit for another exchange

    @property
    def headers(self) -> Iterator[tuple[str, str]]:
        """Name and value of each, as they came; few ask for them."""
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._fields)

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """Take what was received; b"" is the end. Raises NotHttp, or NetworkFailed for too much."""
        if not data:
            self._end()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise NotHttp from None
        if self._size > self._limit:
            raise NetworkFailed(f"the answer is longer than {self._limit} bytes")
        framing = self._received - self._size
        if framing > LARGEST_HEAD + self._size or len(self._fields) > MOST_HEADERS:
            raise NotHttp

    def _end(self) -> None:
        if not self._received:
            raise Hungup
        if not self.status or self._is_framed:
            raise NotHttp
        self.is_whole = True

    def finish(self) -> None:
        """Nothing more is fed. It and its parser know each other: only the collector frees such a pair."""
        self._parser = None

    def on_message_begin(self) -> None:
        self.may_keep = False  # the first one; after it, what nobody asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # later ones are trailers
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # more is to come, as after 100 Continue
            self._fields.clear()
        elif not self.status:
            self.status = status
            self.names = {name.lower() for name, _ in self._fields}
            self._is_framed = not self.names.isdisjoint(FRAMING)
            self.is_whole = not self._has_body

    def on_body(self, data: bytes) -> None:
        if not self.is_whole:
            self._size += len(data)
            self._parts.append(data)

    def on_message_complete(self) -> None:
        if self.status and not self.is_whole:
            self.is_whole = True
            self.may_keep = self._parser.should_keep_alive()


def write_request(
    method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    """A request's bytes; a User-Agent is ours unless it is given.

    Raises ValueError for what would not be one line, or one word, in them.
    """
    if not (NAME.fullmatch(method) and TARGET.fullmatch(target) and TARGET.fullmatch(host)):
        raise ValueError("not a method, an address and a host")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity"]
    if not any(name.lower() == "user-agent" for name in headers):
        lines.append("User-Agent: Guerdon")
    for name, given in headers.items():
        value = given if isinstance(given, str) else str(given)
        if not (NAME.fullmatch(name) and VALUE.fullmatch(value)):
            raise ValueError("not a header")
        lines.append(f"{name}: {value}")
    if body is not None or method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b"")


def exchange(
    socket: Any, request: bytes, deadline: float, limit: int, has_body: bool = True
) -> Answer:
    """Send a request and read its answer; `deadline` by time.monotonic(), `limit` in bytes.

    Raises TimeoutError, OSError, NotHttp, and NetworkFailed for a body over the limit.
    """
    answer = Answer(limit, has_body)
    try:
        act_before(socket, partial(converse, socket, request, answer), deadline)
    finally:
        answer.finish()
    return answer


def converse(socket: Any, request: bytes, answer: Answer) -> None:
    """Say the request and hear the answer."""
    while request:  # once, but for a long one
        request = request[socket.send(request) :]
    reach("network: asked, answer unread")
    while not answer.is_whole:
        answer.feed(socket.recv(AT_ONCE))


def act_before(socket: Any, act: Callable[[], Result], deadline: float) -> Result:
    """What `act` on a socket returns; TimeoutError, and the end of its connection, after the deadline.

    However the other side drips: a timeout of the socket's own would begin anew with each byte.
    """
    find_left(deadline)
    socket.settimeout(None)
    DEADLINES.begin(socket, deadline, partial(hang_up, socket))
    try:
        result = act()
    except BaseException as error:
        if not DEADLINES.end(socket) and isinstance(error, Exception):
            raise TimeoutError from None
        raise
    if not DEADLINES.end(socket):
        raise TimeoutError
    return result


def hang_up(socket: Any) -> None:
    """End a connection under whoever waits at it; its own shutdown would take TLS away from him."""
    with suppress(OSError), closing(_socket.socket(fileno=os.dup(socket.fileno()))) as same:
        same.shutdown(_socket.SHUT_RDWR)


def is_quiet(socket: Any) -> bool:
    """Whether a kept connection is as we left it: no end came, and no answer that nobody asked for."""
    socket.settimeout(0)
    try:
        socket.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        pass
    return False


def find_left(deadline: float) -> float:
    """Seconds until the deadline; TimeoutError once it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
