"""What happens as gunicorn starts, reloads, and ends a worker: the hooks that its settings name."""

import gc
import logging
import resource
import time
from functools import lru_cache
from typing import Any

from gunicorn import util

from app.serving.leaving import hear_signals, keep_signals
from app.serving.reloading import reload_carefully
from app.serving.worker import HAS_SERVED

OPEN_FILES = 16384  # each connection is one


def allow_open_files() -> None:
    """Allow this process so many open files, where the system does: many begin with 1024."""
    now, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if allowed == resource.RLIM_INFINITY else min(OPEN_FILES, allowed)
    if now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))


def on_starting(server: Any) -> None:
    """Signals survive a fork, and SIGHUP is heard only where the service would start and could pay."""
    keep_signals()
    reload_carefully(server)


def when_ready(server: Any) -> None:
    """gunicorn is imported, and has its handlers."""
    hear_signals()


def pre_request(worker: Any, request: Any) -> None:
    """Nothing: gunicorn's own would write a line that its log then drops, for each request."""


def post_worker_init(worker: Any) -> None:
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
    worker.finish_when_told()
    worker.wsgi.extensions["guerdon"].start_dispatcher()
    HAS_SERVED[0] = 1
    # What is there now stays: looking through it for garbage would make votes wait. So does what of it is
    # garbage, once: to find that takes a quarter of the start, and frees nothing that can be seen.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def worker_exit(server: Any, worker: Any) -> None:
    """A worker ends: what it has in hand is finished first."""
    wsgi = getattr(worker, "wsgi", None)  # absent where the app failed to load
    guerdon = getattr(wsgi, "extensions", {}).get("guerdon")
    if guerdon is not None:
        guerdon.close()
