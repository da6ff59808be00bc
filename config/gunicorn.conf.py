"""How gunicorn hosts Guerdon: workers, timeouts, and what a worker starts and stops."""

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


def post_worker_init(worker):
    """A worker is ready: it also serves the inbox, unless the config leaves that to others."""
    worker.wsgi.extensions["guerdon"].start_dispatcher()


def worker_exit(server, worker):
    """A worker ends: what it has in hand is finished first."""
    wsgi = getattr(worker, "wsgi", None)  # absent where the app failed to load
    guerdon = getattr(wsgi, "extensions", {}).get("guerdon")
    if guerdon is not None:
        guerdon.close()
