"""How gunicorn hosts Guerdon: workers, timeouts, and what a worker starts and stops."""

import gc
import os

bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
wsgi_app = "wsgi:app"

# Greenlets: a vote waits for the vote API and for its commit, and many wait at once.
worker_class = "gevent"
worker_connections = 1000

# Each worker opens its own connections after the fork; sharing them would mix answers up.
preload_app = False

timeout = 60  # seconds without a sign of life before a worker is killed
graceful_timeout = 30  # seconds for the requests in hand when told to stop
keepalive = 5  # seconds; a worker told to stop waits so long for connections that idle

# gunicorn's control socket is one per user: a second instance would take the first one's away.
control_socket_disable = True


def pre_request(worker, request):
    """Nothing: gunicorn's own would write a line that its log then drops, for each request."""


def post_worker_init(worker):
    """A worker is ready: it also serves the inbox, unless the config leaves that to others."""
    # Each setting costs gunicorn two function calls, some thirty times a request; as plain
    # attributes they take a third off what it costs to read and answer one.
    worker.cfg.__dict__.update({name: one.get() for name, one in worker.cfg.settings.items()})
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
