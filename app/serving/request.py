"""What a worker makes of a connection's bytes: a request whose body somebody else may end."""

import os
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RD, socket  # before gevent puts its own in its place
from typing import Any

import gevent
from gunicorn import http
from gunicorn.http import message
from gunicorn.http.body import Body
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

from app.serving.lane import LaneParser

MOST_UNREAD = 8192  # bytes of a refused body after which the connection is worth keeping
LARGEST_CHUNK = 65536  # bytes of a body read at once: more would be held uncounted


def shut_down(client: Any, how: int) -> None:
    """End a connection under whoever reads or writes it: they find that the client is gone."""
    with suppress(OSError), socket(fileno=os.dup(client.fileno())) as same:
        same.shutdown(how)


class WatchedBody(Body):
    """A body that somebody else may end under whoever reads it; `unreader` holds what has come."""

    unreader: Any = None

    def is_here(self, length: int) -> bool:
        """Whether so many bytes have come: reading them waits for nobody."""
        return bool(self.unreader.buf.getbuffer().nbytes >= length)

    def end(self) -> None:
        """Its reader finds its end; an answer can still be sent, and then the connection closes."""
        self.failed = True
        shut_down(self.unreader.sock, SHUT_RD)

    def start_timer(self, seconds: float, act: Callable[[], object]) -> Any:
        """Have `act` called after so long, unless what is returned is closed before."""
        timer = gevent.get_hub().loop.timer(seconds)
        timer.start(act)
        return timer

    def is_unread(self) -> bool:
        """Whether so much of it is left, or it is so broken, that its connection cannot be kept."""
        if self.failed:
            return True
        length = getattr(self.reader, "length", None)
        # Of chunks nobody knows how many will come.
        return self.reader.parser is not None if length is None else bool(length > MOST_UNREAD)


class HonestRequest(message.Request):
    """A request whose answer says `Connection: close` also where its body will make us close."""

    def set_body_reader(self) -> None:
        super().set_body_reader()
        self.body.unreader = self.unreader

    def should_close(self) -> bool:
        return bool(super().should_close() or self.body.is_unread())


def use_own_requests() -> None:
    """Have gunicorn make its requests and their bodies by the classes of this file."""
    SocketUnreader.max_body_chunk = LARGEST_CHUNK
    message.Body = WatchedBody
    RequestParser.mesg_class = HonestRequest
    http.RequestParser = LaneParser
