"""The lane of deliveries: a plain POST that is here, whole, goes past gunicorn's parser and response.

What is plain says PLAIN; whatever is not is left to gunicorn, byte for byte, on the same connection: each
letter that could be read in two ways, each header that steers a connection, a body that is still to come
or comes in chunks. The app is called as gunicorn calls it, and an answer that is more than "done" is
written by gunicorn's own response. What this saves: docs/decisions/lane.md.
"""

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import BytesIO
from typing import Any

from gunicorn import SERVER, util
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import Response, base_environ

PLAIN = re.compile(
    rb"POST (/(?:[\w.~-][\w/.~-]{0,511})?)(\?[\w/.~=&%+:-]{0,512})? HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]{1,64}:[\t -~]*\r\n)+)\r\n",
    re.ASCII,
)
LARGEST_HEAD = 8000  # bytes
MOST_FIELDS = 64
LENGTH = re.compile(r"0|[1-9][0-9]{0,4}")
# These say how a body comes, or what becomes of a connection.
STEERING = frozenset({
    "CONNECTION", "EXPECT", "HTTP2-SETTINGS", "KEEP-ALIVE", "PROXY-CONNECTION", "TE", "TRAILER",
    "TRANSFER-ENCODING", "UPGRADE",
})  # fmt: skip
UNPREFIXED = ("CONTENT-LENGTH", "CONTENT-TYPE")  # headers that WSGI knows by their own names
DONE = "204 NO CONTENT"
# gunicorn's settings that change what it makes of a request; the lane is for what they usually are.
SHAPING = (
    "casefold_http_method", "header_map", "limit_request_field_size", "limit_request_fields",
    "limit_request_line", "permit_unconventional_http_method", "permit_unconventional_http_version",
    "post_request",
)  # fmt: skip


class PlainRequest:
    """A plain POST, with the words that gunicorn has for what it asks a request."""

    method, version, scheme = "POST", (1, 1), "http"

    def __init__(
        self, path: str, query: str, fields: dict[str, str], body: bytes, known: dict[str, Any]
    ) -> None:
        """`fields`: its headers as WSGI calls them; `known`: what its connection's requests share."""
        self.path, self.query, self.fields, self.body, self.known = path, query, fields, body, known
        self.uri = path + query
        self.proxy_protocol_info: Any = None  # gunicorn sets it

    def should_close(self) -> bool:
        """Never: who asks for the end of its connection is not plain."""
        return False

    def make_environ(self) -> dict[str, Any]:
        """All that WSGI wants to know."""
        return {
            **self.known, **self.fields, "RAW_URI": self.uri, "PATH_INFO": self.path,
            "QUERY_STRING": self.query[1:], "wsgi.input": BytesIO(self.body),
        }  # fmt: skip


def read_plain(data: bytes, known: dict[str, Any]) -> tuple[PlainRequest, bytes] | None:
    """The plain request that some bytes begin with, and what follows it; None where they do not."""
    found = PLAIN.match(data)
    if found is None or found.end() > LARGEST_HEAD:
        return None
    fields = read_fields(found[3].decode("ascii"))
    if fields is None:
        return None
    begin, end = found.end(), found.end() + int(fields["CONTENT_LENGTH"])
    if len(data) < end:
        return None
    path, query = found[1].decode("ascii"), (found[2] or b"").decode("ascii")
    return PlainRequest(path, query, fields, data[begin:end], known), data[end:]


def read_fields(head: str) -> dict[str, str] | None:
    """Headers as WSGI calls them; None where one steers, or comes twice, or one that is needed is missing."""
    lines = head.split("\r\n")[:-1]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.upper()
        if name in STEERING:
            return None
        key = name.replace("-", "_")
        fields[key if name in UNPREFIXED else f"HTTP_{key}"] = value.strip(" \t")
    is_plain = len(fields) == len(lines) <= MOST_FIELDS and "HTTP_HOST" in fields
    return fields if is_plain and LENGTH.fullmatch(fields.get("CONTENT_LENGTH", "")) else None


class LaneParser(RequestParser):
    """gunicorn's parser, who is asked for whatever is not plain."""

    mesg: Any

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.known: dict[str, Any] = {}
        self.has_lane = isinstance(source_addr, tuple) and has_lane(cfg)

    def __next__(self) -> Any:
        if not self.has_lane:
            return super().__next__()
        if self.mesg is not None and (self.mesg.should_close() or not self.finish_last()):
            raise StopIteration
        data = self.unreader.take_buffered() or self.unreader.chunk()
        plain = read_plain(data, self.known)
        self.mesg, rest = plain or (None, data)
        if rest:
            self.unreader.unread(rest)
        # Without a message gunicorn asks for no end of the last body, and finds by itself that nothing came.
        return self.mesg or super().__next__()

    def finish_last(self) -> bool:
        """Whether the body of the last request has been read to its end, and the next one begins here."""
        return isinstance(self.mesg, PlainRequest) or bool(self.finish_body())


@lru_cache(maxsize=1)
def has_lane(cfg: Any) -> bool:
    """Whether the settings are those that the lane was made for; gunicorn does what others ask."""
    is_proxied = cfg.proxy_protocol not in (False, "off") or cfg.secure_scheme_headers
    is_logged = cfg.accesslog or cfg.statsd_host or cfg.logconfig or cfg.logconfig_dict
    is_other = cfg.is_ssl or not cfg.keepalive or os.environ.get("SCRIPT_NAME")
    settings = (cfg.settings[name] for name in SHAPING)
    is_shaped = any(one.get() != one.default for one in settings)
    return not (is_proxied or cfg.forwarder_headers or is_logged or is_other or is_shaped)


class PlainAnswer(Response):
    """gunicorn's answer; most are "done", and are written at once."""

    status: Any
    is_done = False

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        if status != DONE or headers or exc_info or self.status:
            return super().start_response(status, headers, exc_info)
        self.is_done = self._omits_body = True
        self.status, self.status_code = status, 204
        return self.write

    def finish(self, parts: Iterable[bytes]) -> None:
        """Write what the app has made."""
        if self.is_done and parts == () and not self.must_close:
            self.write_at_once(write_done(util.http_date()))
            return
        for part in parts:
            self.write(part)
        self.close()

    def write_at_once(self, data: bytes) -> None:
        """So few bytes nearly always go at once; sendall asks the system first how many may."""
        if (sent := self.sock.send(data)) < len(data):
            self.sock.sendall(data[sent:])


@lru_cache(maxsize=1)
def write_done(date: str) -> bytes:
    """As gunicorn writes it."""
    head = f"HTTP/1.1 {DONE}\r\nServer: {SERVER}\r\nDate: {date}\r\nConnection: keep-alive\r\n\r\n"
    return head.encode("ascii")


def describe_connection(cfg: Any, client: Any, address: Any, name: Any) -> dict[str, Any]:
    """What all requests of a connection share in their environ; `name`: where it was accepted."""
    return {
        **base_environ(cfg), "wsgi.multithread": True, "wsgi.url_scheme": "http", "SCRIPT_NAME": "",
        "REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1", "gunicorn.socket": client,
        "REMOTE_ADDR": address[0], "REMOTE_PORT": str(address[1]),
        "SERVER_NAME": name[0], "SERVER_PORT": str(name[1]),
    }  # fmt: skip


def answer_plain(
    app: Callable[..., Iterable[bytes]], request: PlainRequest, answer: PlainAnswer
) -> None:
    """Have the app answer a request."""
    parts = app(request.make_environ(), answer.start_response)
    try:
        answer.finish(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
