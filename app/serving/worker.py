"""The worker: greenlets, each with a connection; whoever is silent, drips or does not read costs no other."""

import mmap
import sys
import time
from contextlib import nullcontext, suppress
from socket import SHUT_RDWR, SHUT_WR
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from app.serving.lane import PlainAnswer, PlainRequest, answer_plain, describe_connection
from app.serving.leaving import LeavingWorker
from app.serving.patience import Patience
from app.serving.request import shut_down

MOST_HEADS = 800  # connections without a request; of more, whoever is silent longest is hung up on
MOST_LINGERING = 100  # clients that are told why before their connection is closed
LOOKS_EVERY = 0.25  # seconds, for whom a deadline has passed
RESTART_PAUSE = 3  # seconds until a worker that could not start is started again
HAS_SERVED = mmap.mmap(-1, 1)  # of all workers together: not 0 once one of them was ready


class PatientWorker(LeavingWorker, GeventWorker):
    """Greenlets: a vote waits for the vote API and for its commit, and many wait at once.

    A request has `timeout` seconds from its head to the last byte of its answer; then its client is
    hung up on. Whatever is being paid goes on and is finished. A head has `keepalive` seconds.
    """

    alive: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heads = Patience(self.cfg.keepalive)  # connections that wait for a head
        self.requests = Patience(self.cfg.timeout)  # those whose request is being answered
        self.lingering = 0

    def run(self) -> None:
        """Until told to end."""
        gevent.spawn(self.hang_up_late)
        super().run()

    def hang_up_late(self) -> None:
        """One look for all deadlines: a timer for each would be set and cleared twice a request."""
        while True:
            gevent.sleep(LOOKS_EVERY)
            for late in (*self.heads.find_late(), *self.requests.find_late()):
                shut_down(late, SHUT_RDWR)

    def timeout_ctx(self) -> Any:
        """gunicorn's timer for a head; hang_up_late is ours."""
        return nullcontext()

    def load_wsgi(self) -> None:
        """As gunicorn's, which ends the whole service where this fails: only while none has served yet.

        A worker that comes later meets a mistake that was made meanwhile. The others go on, and it is
        tried again until the mistake is mended.
        """
        try:
            super().load_wsgi()
        except Exception as error:
            if not HAS_SERVED[0]:
                raise
            self.log.error("this worker cannot start, and is started again: %s", error)
            time.sleep(RESTART_PAUSE)
            sys.exit(1)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, request by request."""
        self.wait_for_head(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self.heads.remove(client)

    def wait_for_head(self, client: Any) -> None:
        """Whoever says nothing makes room for others."""
        self.heads.add(client)
        if len(self.heads) > MOST_HEADS:
            shut_down(self.heads.take_first(), SHUT_RDWR)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve a request, however its client drips, does not read, or sends what nobody wants."""
        self.heads.remove(sock)
        self.requests.add(sock)
        try:
            if isinstance(req, PlainRequest):
                return self.handle_plain(listener_name, req, sock, addr)
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            self.requests.remove(sock)
            if not isinstance(req, PlainRequest) and req.body.is_unread():
                # gunicorn would read it in steps of 1 KiB, which takes a second of CPU for 10 MB.
                req.force_close()
                self.throw_away(sock)
            else:
                self.wait_for_head(sock)

    def handle_plain(self, listener_name: Any, req: PlainRequest, sock: Any, addr: Any) -> None:
        """As gunicorn's handle_request, on the lane."""
        answer = PlainAnswer(req, sock, self.cfg)
        if not req.known:
            req.known.update(describe_connection(self.cfg, sock, addr, listener_name))
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        if not self.alive:
            answer.force_close()
        try:
            answer_plain(self.wsgi, req, answer)
        except OSError:
            raise
        except (gevent.GreenletExit, SystemExit):  # the worker ends
            raise StopIteration from None
        except Exception:
            if not answer.headers_sent:
                raise
            self.log.exception("Error handling request")
            shut_down(sock, SHUT_RDWR)
            raise StopIteration from None
        if answer.should_close():
            raise StopIteration

    def throw_away(self, client: Any) -> None:
        """Take no more than 16 MiB or two seconds of what still comes: else the answer is lost with it."""
        if self.lingering >= MOST_LINGERING:
            return
        self.lingering += 1
        try:
            with suppress(OSError), gevent.Timeout(2, False):
                client.shutdown(SHUT_WR)
                for _ in range(256):
                    if not client.recv(65536):
                        return
        finally:
            self.lingering -= 1
