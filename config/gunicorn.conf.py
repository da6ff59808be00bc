"""How gunicorn hosts Guerdon: workers, timeouts, and what a worker starts and stops."""

import gc
import os
import resource
import time
from contextlib import suppress
from functools import lru_cache
from socket import SHUT_RDWR, SHUT_WR, socket  # before gevent puts its own in its place

import gevent
from gunicorn import util
from gunicorn.workers.ggevent import GeventWorker

bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
wsgi_app = "wsgi:app"

MOST_UNREAD = 8192  # bytes of a refused body after which the connection is worth keeping


class PatientWorker(GeventWorker):
    """Greenlets: a vote waits for the vote API and for its commit, and many wait at once.

    A request has `timeout` seconds from its head to the last byte of its answer; then its client is
    hung up on. Whatever is being paid goes on and is finished. A head has `keepalive` seconds.
    """

    def handle_request(self, listener_name, req, sock, addr):
        """Serve a request, however its client drips, does not read, or sends what nobody wants."""
        timer = gevent.get_hub().loop.timer(self.cfg.timeout)
        if self.cfg.timeout:
            timer.start(hang_up, sock)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            timer.stop()
            timer.close()
            if getattr(req.body.reader, "length", 0) > MOST_UNREAD:
                # gunicorn would read it in steps of 1 KiB, which takes a second of CPU for 10 MB.
                req.force_close()
                throw_away(sock)


def hang_up(client):
    """End a connection under whoever reads or writes it: both find that the client is gone."""
    with suppress(OSError), socket(fileno=os.dup(client.fileno())) as same:
        same.shutdown(SHUT_RDWR)


def throw_away(client):
    """Take no more than 16 MiB or two seconds of what still comes: else the answer is lost with it."""
    with suppress(OSError), gevent.Timeout(2, False):
        client.shutdown(SHUT_WR)
        for _ in range(256):
            if not client.recv(65536):
                return


worker_class = PatientWorker
worker_connections = 1000  # of each worker at once

# Each connection is an open file, and systems that allow many often begin with 1024.
wanted, allowed = 16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
if allowed != resource.RLIM_INFINITY:
    wanted = min(wanted, allowed)
if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))

# Each worker opens its own connections after the fork; sharing them would mix answers up.
preload_app = False

timeout = 60  # seconds for a request; also without a sign of life before a worker is killed
graceful_timeout = 30  # seconds for the requests in hand when told to stop
keepalive = 5  # seconds for a head to come; a worker told to stop waits so long for who idles

# gunicorn's control socket is one per user: a second instance would take the first one's away.
control_socket_disable = True


def pre_request(worker, request):
    """Nothing: gunicorn's own would write a line that its log then drops, for each request."""


def post_worker_init(worker):
    """A worker is ready: it also serves the inbox, unless the config leaves that to others."""
    # Each setting costs gunicorn two function calls, some thirty times a request; as plain
    # attributes they take a third off what it costs to read and answer one.
    worker.cfg.__dict__.update({name: one.get() for name, one in worker.cfg.settings.items()})
    # The date of an answer is the same a second long; writing it is a tenth of gunicorn's own work.
    write_date = lru_cache(maxsize=1)(util.http_date)
    util.http_date = lambda: write_date(int(time.time()))
    worker.wsgi.extensions["guerdon"].start_dispatcher()
    # What is there now stays: looking through it for garbage would make votes wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def worker_exit(server, worker):
    """A worker ends: what it has in hand is finished first."""
    wsgi = getattr(worker, "wsgi", None)  # absent where the app failed to load
    guerdon = getattr(wsgi, "extensions", {}).get("guerdon")
    if guerdon is not None:
        guerdon.close()
