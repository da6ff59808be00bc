"""SIGHUP: the workers before go on until all new ones serve; where these would not, nothing happens.

gunicorn itself ends them as soon as others are forked, which only then read config and plugins: what is
changed in that moment, and is at fault, would leave nobody to serve.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from gunicorn.errors import HaltServer

WSGI_APP = "app.serving.wsgi:app"
DASHBOARD_APP = "app.serving.dashboard_wsgi:app"
# The last is the first, by a shorter name where the folder is Guerdon's own.
NAMES = (WSGI_APP, DASHBOARD_APP, "wsgi:app")
CHECK_PATIENCE = 60  # seconds for the checks before a reload
START_PATIENCE = 30  # seconds for the new workers to serve
PAUSE = 0.1  # seconds
REFUSED = "not reloaded, the workers go on as before: %s"


class NotReloadedError(Exception):
    """Why the new workers are gone again."""


def reload_carefully(server: Any) -> None:
    """Have gunicorn's arbiter reload only what is well, and end no worker before its successor serves."""
    reload, manage = server.reload, server.manage_workers

    def reload_checked() -> None:
        if faults := find_start_faults(server.app.app_uri):
            server.log.error(REFUSED, faults)
            return
        old, number = set(server.WORKERS), server.num_workers
        server.manage_workers = lambda: replace_workers(server, old, manage)
        try:
            reload()
        except NotReloadedError as error:
            server.num_workers = number
            server.log.error(REFUSED, error)
        finally:
            server.manage_workers = manage

    server.reload = reload_checked


def replace_workers(server: Any, old: set[int], manage: Callable[[], None]) -> None:
    """Let `manage` end the `old` workers once all others serve.

    Raises NotReloadedError, the others ended, where one of them could not start.
    """
    new, deadline = server.WORKERS.keys() - old, time.monotonic() + START_PATIENCE
    while not all(has_begun(server.WORKERS[pid]) for pid in new):
        time.sleep(PAUSE)
        is_well = reap_workers(server) and new <= server.WORKERS.keys()
        if not is_well or time.monotonic() > deadline:
            end_workers(server, new)
            raise NotReloadedError("a new one could not start, the log says above why")
    manage()


def end_workers(server: Any, pids: set[int]) -> None:
    """End these, and wait for it: who is still ending would be counted, and an old one ended for it."""
    deadline = time.monotonic() + server.cfg.graceful_timeout
    for pid in pids & server.WORKERS.keys():
        server.kill_worker(pid, signal.SIGTERM)
    while left := pids & server.WORKERS.keys():
        if time.monotonic() > deadline:
            for pid in left:
                server.kill_worker(pid, signal.SIGKILL)
        time.sleep(PAUSE)
        reap_workers(server)


def reap_workers(server: Any) -> bool:
    """Note who has ended; False where gunicorn would end the whole service for how one did."""
    try:
        server.reap_workers()
    except HaltServer:
        return False
    return True


def has_begun(worker: Any) -> bool:
    """Whether a worker serves: it then gives signs of life, by the monotonic clock instead of the file's."""
    return bool(worker.tmp.last_update() <= time.monotonic())


def find_start_faults(served: str) -> str:
    """What a start would meet now, tried by processes of their own; "" where all is well."""
    checks = [["app.serving", "--check-config", *sys.argv[1:]]]
    if served in NAMES:
        checks.insert(0, ["app.cli", "check"])  # it says more, and asks the database
    for words in checks:
        command = [sys.executable, "-P", "-m", *words]
        try:
            done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
                command, capture_output=True, text=True, timeout=CHECK_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{' '.join(words)}: {error}"
        if done.returncode:
            return done.stderr.strip() or f"{' '.join(words)} ended with {done.returncode}"
    return ""
