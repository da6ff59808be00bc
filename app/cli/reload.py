"""guerdon reload: the running service reads config, plugins and rules anew, if they are well."""

import os
import signal
import time

import click

from app.cli.context import find_config, open_configured
from app.config.reading import find_folder
from app.doctor.pids import find_pid_file, find_server, list_workers
from app.porch.errors import GuerdonError
from app.terminal import tell

PATIENCE = 220.0  # seconds: it checks once more by itself, and new workers start and old ones end
PAUSE = 0.2  # seconds


@click.command("reload")
def reload_service() -> None:
    """Have the service of this folder read config, plugins and rules anew; first they are checked."""
    guerdon = open_configured()
    if faults := guerdon.inspect():
        tell(*faults, "not reloaded: the service goes on as before", err=True)
        raise SystemExit(1)
    bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
    pid = find_server(find_pid_file(find_folder(find_config()), bind))
    if pid is None:
        raise GuerdonError(f"no `guerdon serve` of this folder runs at {bind}; see GUERDON_BIND")
    if not (before := list_workers(pid)):
        raise GuerdonError(
            f"the service at {bind} has no workers to be replaced: does it start just now?"
        )
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError as error:
        raise GuerdonError(f"process {pid}, which serves {bind}, cannot be told: {error}") from None
    wait_for_others(pid, before)
    if list_workers(pid) & before:
        raise GuerdonError("not reloaded, its workers are the old ones still: its log says why")
    tell(f"reloaded: {len(list_workers(pid))} workers")


def wait_for_others(pid: int, before: set[int]) -> None:
    """Until none of the workers `before` is there; or others came to stay, and are gone again."""
    deadline, news, have_come = time.monotonic() + PATIENCE, set[int](), False
    while (now := list_workers(pid)) & before and time.monotonic() < deadline:
        have_come = have_come or bool(news & now)
        if have_come and now == before:
            return
        news = now - before
        time.sleep(PAUSE)
