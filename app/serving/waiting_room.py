"""The dashboard's worker: a thread has a request that is here, whole; nobody who is slow holds one.

gunicorn's own gives a connection a thread first, which then waits for whoever is silent, drips or does not
read: eight of those, and no operator gets in. Here the loop waits for all of them, and threads for nobody.
"""

import io
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.serving.leaving import LeavingWorker

MOST_GUESTS = 300  # connections that are waited for; of more, the one that is longest is hung up on
PATIENCE = 10.0  # seconds for a request to come whole
TAKING = 30.0  # seconds for an answer to be taken
LINGERING = 2.0  # seconds for a client to read why its connection ends
MOST_BYTES = 1 << 17  # of a request, twice a form: of a longer one no more is waited for
STEP = 65536  # bytes

END_OF_HEAD, END_OF_CHUNKS = b"\r\n\r\n", b"0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
# What the app says of its own answers; these are gunicorn's, to what is no HTTP.
OF_REFUSALS = (
    b"Connection: close\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
)


class Desk:
    """Stands for a socket: a thread reads a request from it, and writes its answer to it, and never waits."""

    def __init__(self, request: bytes) -> None:
        self.recv = io.BytesIO(request).read  # b"" at the end, as of a client that has gone
        self.answer = bytearray()

    def sendall(self, data: bytes) -> None:
        self.answer += data

    def send(self, data: bytes) -> int:
        self.answer += data
        return len(data)

    def gettimeout(self) -> None:
        return None

    def ignore(self, *_: object) -> None:
        """What concerns the connection is done by the loop."""

    setblocking = settimeout = shutdown = close = ignore


class Guest(TConn):
    """A connection: what has come of its next request, what is left of its answer."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.wire: socket.socket = arguments[1]
        self.sock: Any  # a desk, for whom a thread serves
        self.came = bytearray()
        self.left = memoryview(b"")
        self.stays = self.leaves = False
        self.data_ready = True  # as gunicorn says that a thread need not wait

    def sit_down(self) -> bool:
        """Whether its request is here: then `sock` is a desk with it, and `parser` reads from there."""
        size = measure(self.came)
        if size is None:
            return False
        self.sock = Desk(bytes(self.came[:size]))
        del self.came[:size]
        self.parser = None
        self.initialized = False
        self.init()
        return True


def measure(came: bytearray) -> int | None:
    """How many bytes the first request has; None while more of it is to be waited for."""
    too_long = len(came) if len(came) >= MOST_BYTES else None
    end = came.find(END_OF_HEAD)
    if end < 0:
        return too_long
    head = came[: end + 2]
    if CHUNKED.search(head):
        return len(came) if came.endswith(END_OF_CHUNKS) else too_long
    length = LENGTH.search(head)
    size = end + len(END_OF_HEAD) + (int(length[1]) if length else 0)
    return size if len(came) >= size else too_long


class WaitingRoomWorker(LeavingWorker, ThreadWorker):
    """gunicorn's threads, behind a loop that reads requests and writes answers."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.guests: dict[Guest, float] = {}  # until when; who is waited for longest comes first

    def accept(self, listener: Any) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        guest = Guest(self.cfg, client, address, listener.getsockname())
        self.wait_for(guest, EVENT_READ, self.read, PATIENCE)

    def wait_for(
        self, guest: Guest, event: int, act: Callable[[Guest], None], seconds: float
    ) -> None:
        """Have the loop call `act` when something can be read, or written."""
        self.guests[guest] = time.monotonic() + seconds

        def meet(_: object) -> None:
            if guest in self.guests:  # else it was hung up on, and was still in the loop's list
                act(guest)

        self.poller.register(guest.wire, event, meet)
        if len(self.guests) > MOST_GUESTS:
            self.hang_up(next(iter(self.guests)))

    def stop_waiting(self, guest: Guest) -> None:
        del self.guests[guest]
        self.poller.unregister(guest.wire)

    def hang_up(self, guest: Guest) -> None:
        self.stop_waiting(guest)
        self.nr_conns -= 1
        guest.wire.close()

    def murder_pending(self) -> None:
        """gunicorn's name for what its loop does now and then: who is late is hung up on."""
        now = time.monotonic()
        for guest in [one for one, until in self.guests.items() if until < now]:
            self.hang_up(guest)

    def _cap_keepalive(self, deadline: float) -> None:
        """Told to end: nobody is waited for longer than that."""
        for guest, until in self.guests.items():
            self.guests[guest] = min(until, deadline)

    def read(self, guest: Guest) -> None:
        try:
            data = guest.wire.recv(STEP)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.hang_up(guest)
        elif not guest.leaves:
            if not guest.came:  # a next request on a connection that was kept
                del self.guests[guest]
                self.guests[guest] = time.monotonic() + PATIENCE
            guest.came += data
            if guest.sit_down():
                self.stop_waiting(guest)
                self.enqueue_req(guest)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """As gunicorn's; browsers make nothing of its words but words."""
        super().handle_error(req, client, addr, exc)
        if isinstance(client, Desk):
            client.answer = client.answer.replace(b"Connection: close\r\n", OF_REFUSALS, 1)

    def finish_request(self, guest: Guest, future: Any) -> None:
        """The answer is there: the thread is free, and the loop writes."""
        has_answered = not future.cancelled() and future.exception() is None
        guest.stays = has_answered and bool(future.result())
        guest.left = memoryview(bytes(guest.sock.answer))
        self.wait_for(guest, EVENT_WRITE, self.write, TAKING)

    def write(self, guest: Guest) -> None:
        try:
            sent = guest.wire.send(guest.left)
        except BlockingIOError:
            return
        except OSError:
            self.hang_up(guest)
            return
        guest.left = guest.left[sent:]
        if not guest.left:
            self.stop_waiting(guest)
            self.go_on(guest)

    def go_on(self, guest: Guest) -> None:
        """After an answer: the next request, or the end, once the client had time to read why."""
        if not guest.stays:
            guest.leaves = True
            with suppress(OSError):
                guest.wire.shutdown(socket.SHUT_WR)
            self.wait_for(guest, EVENT_READ, self.read, LINGERING)
        elif guest.sit_down():
            self.enqueue_req(guest)
        else:
            patience = PATIENCE if guest.came else self.cfg.keepalive
            self.wait_for(guest, EVENT_READ, self.read, patience)
