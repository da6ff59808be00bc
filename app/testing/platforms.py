"""A platform that takes reports over real HTTP on loopback, and does what the test says."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any

from app.testing.loopback import LoopbackServer

G123_PATH = "/api/v1/cp/game_event/level_up"
SUD_PATH = "/report_game_info"


@dataclass(frozen=True, slots=True)
class Request:
    """One POST or GET as it came; `at` is in seconds since the epoch."""

    path: str
    headers: Message  # by name, whatever its case
    body: bytes
    at: float

    @property
    def fields(self) -> Any:
        return json.loads(self.body)


class Platform:
    """G123 at `url`, and a Sud-style app at `url` + SUD_PATH; `requests` are all POSTs and GETs, in order.

    Both answer with success until `behave` is another function of the handler, whose `body` is what
    was posted; what it raises fails the test at its end. `tokens` are those of G123's replies.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.tokens: list[str] = []
        self.behave: Callable[[Any], None] = answer_rightly
        self.closing = threading.Event()
        self.faults: list[Exception] = []
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            body = b""

            def do_POST(self) -> None:
                self.platform = platform
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                platform.requests.append(Request(self.path, self.headers, self.body, time.time()))
                try:
                    platform.behave(self)
                except OSError:  # the client hung up, or was killed: a part of many tests
                    self.close_connection = True
                except Exception as error:
                    platform.faults.append(error)
                    raise

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = LoopbackServer(Handler)
        self.url = self._server.url
        self.sud_url = self.url + SUD_PATH

    def close(self) -> None:
        self.closing.set()
        self._server.end()
        for fault in self.faults:
            raise fault


def answer(handler: Any, status: int, body: Any, **headers: str) -> None:
    """Send a JSON body, or bytes as they are; Retry_After becomes Retry-After."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
    for name, value in fields.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def answer_g123(handler: Any) -> None:
    """As in G123's sample, with a new token."""
    token = str(uuid.uuid4())
    handler.platform.tokens.append(token)
    reply = {
        "action": "game_event_created",
        "id": str(len(handler.platform.tokens)),
        "token": token,
    }
    answer(handler, 200, reply)


def answer_sud(handler: Any, ret_code: Any = 0, ret_msg: str = "") -> None:
    """Anything but ret_code 0 is a failure."""
    answer(handler, 200, {"ret_code": ret_code, "ret_msg": ret_msg, "data": {}})


def answer_rightly(handler: Any) -> None:
    (answer_g123 if handler.path == G123_PATH else answer_sud)(handler)


def never_answer(handler: Any) -> None:
    """Accept, read, and say nothing until the platform is closed."""
    handler.platform.closing.wait()
    hang_up(handler)


def hang_up(handler: Any) -> None:
    """End the connection after the whole request was read."""
    handler.close_connection = True
    with suppress(OSError):  # not connected any more
        handler.connection.shutdown(socket.SHUT_RDWR)
    handler.connection.close()


def answer_status(status: int, body: Any = b"", **headers: str) -> Callable[[Any], None]:
    """Always this: answer_status(429, Retry_After="7"), answer_status(200, b"garbage")."""
    return lambda handler: answer(handler, status, body, **headers)


def answer_late(
    seconds: float, then: Callable[[Any], None] = answer_rightly
) -> Callable[[Any], None]:
    def behave(handler: Any) -> None:
        handler.platform.closing.wait(seconds)
        then(handler)

    return behave


def answer_in_turn(*behaviours: Callable[[Any], None]) -> Callable[[Any], None]:
    """Each for one request; the last for all that follow."""
    lock = threading.Lock()
    left: Sequence[Callable[[Any], None]] = behaviours

    def behave(handler: Any) -> None:
        nonlocal left
        with lock:
            now, left = left[0], left[1:] or left
        now(handler)

    return behave
