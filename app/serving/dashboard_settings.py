"""How gunicorn hosts the dashboard: one process with threads, apart from the workers that pay.

One, so that what it counts in memory, as tries to sign in, is exact; with threads, since a page that the
database keeps waiting, or a password that is checked, must not stop the others. Who is slow has no thread.
"""

import logging
import os
from typing import Any

from app.serving.leaving import hear_signals, keep_signals
from app.serving.logger import JsonLogger
from app.serving.reloading import DASHBOARD_APP, reload_carefully
from app.serving.waiting_room import WaitingRoomWorker
from app.web.refusals import Refusals

bind = os.environ.get("GUERDON_DASHBOARD_BIND", "127.0.0.1:8002")
wsgi_app = DASHBOARD_APP
worker_class = WaitingRoomWorker
workers = 1
threads = 8
sendfile = False  # an answer is whole before it is sent
logger_class = JsonLogger
preload_app = False
timeout = 60  # seconds without a sign of life before the worker is started anew
graceful_timeout = 10  # seconds for the requests in hand when told to stop
ERRANDS_TIMEOUT = 5.0  # seconds for what a page has begun
keepalive = 5  # seconds
limit_request_line = 8190  # a name of 255 letters is long when it is written for an address
control_socket_disable = True

# Whom [dashboard] proxies names is believed by the app, and nobody by gunicorn.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}


def on_starting(server: Any) -> None:
    """Signals survive a fork, and SIGHUP is heard only where the dashboard would start anew."""
    keep_signals()
    reload_carefully(server)


def when_ready(server: Any) -> None:
    """gunicorn is imported, and has its handlers."""
    hear_signals()


def post_worker_init(worker: Any) -> None:
    """From here on secrets are known, and hidden in gunicorn's lines too; a flood has few of them."""
    worker.log.refusals = Refusals()
    worker.log.format_by(logging.getLogger().handlers[0].formatter)
    worker.finish_when_told()


def worker_exit(server: Any, worker: Any) -> None:
    """The worker ends: so do its connections, unless something is in the middle of using them."""
    parts = getattr(getattr(worker, "wsgi", None), "extensions", {})
    if "guerdon" in parts and parts["errands"].stop(ERRANDS_TIMEOUT):
        parts["guerdon"].close()
