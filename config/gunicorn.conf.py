"""How gunicorn hosts Guerdon: workers, timeouts, and what a worker starts and stops."""

import gc
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from socket import SHUT_RD, SHUT_RDWR, SHUT_WR, socket  # before gevent puts its own in its place

import gevent
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http import message
from gunicorn.http.body import Body
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
wsgi_app = "wsgi:app"

# No header of a proxy is believed: we need none, and a proxy on this machine, which gunicorn would
# trust, passes on what strangers write. SCRIPT_NAME would move /v1 under /webhooks/, and two headers
# about TLS that contradict each other would turn a vote away.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers = {}

MOST_UNREAD = 8192  # bytes of a refused body after which the connection is worth keeping
MOST_HEADS = 800  # connections without a request; of more, whoever is silent longest is hung up on
ENDINGS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
MOST_LINGERING = 100  # clients that are told why before their connection is closed
CHECK_PATIENCE = 60  # seconds for the checks before a reload
RESTART_PAUSE = 3  # seconds until a worker that could not start is started again


class WatchedBody(Body):
    """A body that somebody else may end under whoever reads it; `unreader` holds what has come."""

    unreader = None

    def is_here(self, length):
        """Whether so many bytes have come: reading them waits for nobody."""
        return self.unreader.buf.getbuffer().nbytes >= length

    def end(self):
        """Its reader finds its end; an answer can still be sent, and then the connection closes."""
        self.failed = True
        shut_down(self.unreader.sock, SHUT_RD)

    def start_timer(self, seconds, act):
        """Have `act` called after so long, unless what is returned is closed before."""
        timer = gevent.get_hub().loop.timer(seconds)
        timer.start(act)
        return timer

    def is_unread(self):
        """Whether so much of it is left, or it is so broken, that its connection cannot be kept."""
        if self.failed:
            return True
        length = getattr(self.reader, "length", None)
        # Of chunks nobody knows how many will come.
        return self.reader.parser is not None if length is None else length > MOST_UNREAD


class HonestRequest(message.Request):
    """A request whose answer says `Connection: close` also where its body will make us close."""

    def set_body_reader(self):
        super().set_body_reader()
        self.body.unreader = self.unreader

    def should_close(self):
        return super().should_close() or self.body.is_unread()


SocketUnreader.max_body_chunk = 65536  # bytes at once: more would be held uncounted, a body
message.Body = WatchedBody
RequestParser.mesg_class = HonestRequest


class PatientWorker(GeventWorker):
    """Greenlets: a vote waits for the vote API and for its commit, and many wait at once.

    A request has `timeout` seconds from its head to the last byte of its answer; then its client is
    hung up on. Whatever is being paid goes on and is finished. A head has `keepalive` seconds.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heads = {}  # connections that wait for a head; the most patient first
        self.lingering = 0

    def init_signals(self):
        """gunicorn's own signals; but told to end, it ends at once, until it is ready."""
        super().init_signals()
        leave_at_once_when_told()

    def load_wsgi(self):
        """As gunicorn's, which ends the whole service where this fails: right at the start alone.

        A worker that replaces another meets a mistake that was made meanwhile. The others go on, and
        it is tried again until the mistake is mended.
        """
        try:
            super().load_wsgi()
        except Exception as error:
            if self.age <= self.cfg.workers:
                raise
            self.log.error("this worker cannot start, and is started again: %s", error)
            time.sleep(RESTART_PAUSE)
            sys.exit(1)

    def handle(self, listener, client, addr):
        """Serve a connection, request by request."""
        self.wait_for_head(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self.heads.pop(client, None)

    def wait_for_head(self, client):
        """Whoever says nothing makes room for others."""
        self.heads[client] = None
        if len(self.heads) > MOST_HEADS:
            silent = next(iter(self.heads))
            del self.heads[silent]
            shut_down(silent, SHUT_RDWR)

    def handle_request(self, listener_name, req, sock, addr):
        """Serve a request, however its client drips, does not read, or sends what nobody wants."""
        self.heads.pop(sock, None)
        timer = gevent.get_hub().loop.timer(self.cfg.timeout)
        if self.cfg.timeout:
            timer.start(shut_down, sock, SHUT_RDWR)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            timer.stop()
            timer.close()
            if req.body.is_unread():
                # gunicorn would read it in steps of 1 KiB, which takes a second of CPU for 10 MB.
                req.force_close()
                self.throw_away(sock)
            else:
                self.wait_for_head(sock)

    def throw_away(self, client):
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


def shut_down(client, how):
    """End a connection under whoever reads or writes it: they find that the client is gone."""
    with suppress(OSError), socket(fileno=os.dup(client.fileno())) as same:
        same.shutdown(how)


def leave_at_once_when_told():
    """A worker that is not ready has nothing in hand, and may be importing anything.

    gunicorn would raise SystemExit there, which comes out as a traceback, or swallow the signal that
    comes between the fork and its own handlers, and kill the worker half a minute later.
    """
    for number in ENDINGS:
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


INVALID = re.compile(r"Invalid request from ip=(\S*): (.*)", re.DOTALL)
LONGEST_REASON = 200  # characters of what a stranger wrote


class JsonFormatter(logging.Formatter):
    """A line of JSON, as the app's are; for the master, which does not load the app."""

    def format(self, record):
        line = {"event": record.getMessage(), "level": record.levelname.lower()}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | {"pid": record.process})


class JsonLogger(Logger):
    """gunicorn's log lines in JSON; a flood of what is no HTTP writes no line each."""

    refusals = None  # of the app, in a worker

    def setup(self, cfg):
        super().setup(cfg)
        self.format_by(JsonFormatter())

    def format_by(self, formatter):
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)

    def warning(self, msg, *args, **kwargs):
        found = self.refusals and INVALID.fullmatch(msg)
        if found:
            address, reason = found.groups()
            self.refusals.tell("", 400, f"no HTTP: {reason[:LONGEST_REASON]}", address)
        else:
            super().warning(msg, *args, **kwargs)


worker_class = PatientWorker
logger_class = JsonLogger
worker_connections = 2000  # of each worker at once; half of them at least have a request

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


def on_starting(server):
    """Signals survive a fork, and SIGHUP is heard only where the service would start and could pay."""
    keep_signals()
    reload = server.reload

    def reload_checked():
        if faults := find_start_faults(server.app.app_uri):
            server.log.error("not reloaded, the workers go on as before: %s", faults)
        else:
            reload()

    server.reload = reload_checked


def keep_signals():
    """No signal is lost around a fork: it waits until whoever gets it has its handlers."""
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS),
        after_in_child=leave_at_once_when_told,
    )


def find_start_faults(served):
    """What a start would meet now, tried by processes of their own; "" where all is well."""
    checks = [["gunicorn", "--check-config", *sys.argv[1:]]]
    if served == wsgi_app:
        checks.insert(0, ["app.cli", "check"])  # it says more, and asks the database
    for words in checks:
        command = [sys.executable, "-m", *words]
        try:
            done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
                command, capture_output=True, text=True, timeout=CHECK_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{' '.join(words)}: {error}"
        if done.returncode:
            return done.stderr.strip() or f"{' '.join(words)} ended with {done.returncode}"
    return ""


def when_ready(server):
    """`guerdon serve` has held Ctrl-C back while gunicorn was imported: here it is heard."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def pre_request(worker, request):
    """Nothing: gunicorn's own would write a line that its log then drops, for each request."""


def post_worker_init(worker):
    """A worker is ready: it also serves the inbox, unless the config leaves that to others."""
    # From here on secrets are known, and hidden in gunicorn's lines too.
    worker.log.format_by(logging.getLogger().handlers[0].formatter)
    worker.log.refusals = worker.wsgi.extensions["refusals"]
    # Each setting costs gunicorn two function calls, some thirty times a request; as plain
    # attributes they take a third off what it costs to read and answer one.
    worker.cfg.__dict__.update({name: one.get() for name, one in worker.cfg.settings.items()})
    # The date of an answer is the same a second long; writing it is a tenth of gunicorn's own work.
    write_date = lru_cache(maxsize=1)(util.http_date)
    util.http_date = lambda: write_date(int(time.time()))
    GeventWorker.init_signals(worker)  # from here on, what is in hand is finished first
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
