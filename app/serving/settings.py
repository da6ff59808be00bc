"""How gunicorn hosts Guerdon: its settings. What their classes and hooks do stands beside this file."""

import os

from app.serving.hooks import (  # noqa: F401  (gunicorn finds its hooks by their names)
    allow_open_files,
    on_starting,
    post_worker_init,
    pre_request,
    when_ready,
    worker_exit,
)
from app.serving.logger import JsonLogger
from app.serving.reloading import WSGI_APP
from app.serving.request import use_own_requests
from app.serving.worker import PatientWorker

bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
pidfile = (
    os.environ.get("GUERDON_PID_FILE") or None
)  # `guerdon serve` sets it, for `guerdon reload`
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
wsgi_app = WSGI_APP
worker_class = PatientWorker
logger_class = JsonLogger
worker_connections = 2000  # of each worker at once; half of them at least have a request

# No header of a proxy is believed: we need none, and a proxy on this machine, which gunicorn would
# trust, passes on what strangers write. SCRIPT_NAME would move /v1 under /webhooks/, and two headers
# about TLS that contradict each other would turn a vote away.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# Each worker opens its own connections after the fork; sharing them would mix answers up.
preload_app = False

timeout = 60  # seconds for a request; also without a sign of life before a worker is killed
graceful_timeout = 30  # seconds for the requests in hand when told to stop
keepalive = 5  # seconds for a head to come; a worker told to stop waits so long for who idles

# gunicorn's control socket is one per user: a second instance would take the first one's away.
control_socket_disable = True

allow_open_files()
use_own_requests()
