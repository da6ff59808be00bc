"""Ctrl-C at any moment ends the service, soon and without a traceback."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.testing.gunicorn import Gunicorn
from app.testing.waiting import PATIENCE, wait_until
from tests.world.browsing import run_guerdon
from tests.world.running_dashboards import Dashboard
from tests.world.servers import find_tracebacks

SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))
CAUGHT = 1 << (signal.SIGINT - 1)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def read_signals(pid: int, kind: str) -> int:
    """The set of signals that a process has Caught, ignores, or blocks: SigCgt, SigIgn, SigBlk."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{kind}:")[1].split()[0], 16)


def is_importing(pid: int) -> bool:
    """Whether Ctrl-C would end the process: Python has begun and our first line was run."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"app.cli" in command and not read_signals(pid, "SigCgt") & CAUGHT


def interrupt(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ctrl-C, as a terminal gives it to all at once; then everybody ends.

    gunicorn tells its workers again: they hear it twice.
    """
    os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE)
    written = log.read_text()
    assert find_tracebacks(written) == [], written
    assert "KeyboardInterrupt" not in written
    assert "SIGKILL" not in written, written  # nobody missed it, to be killed when patience was out
    wait_until(lambda: is_gone(process.pid))


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def serve(guerdon: Guerdon, tmp_path: Path) -> Callable[[], Gunicorn]:
    """`guerdon serve` that has just been started."""
    guerdon.database.close_all()

    def start() -> Gunicorn:
        log = tmp_path / f"log-{time.time_ns()}"
        server = Gunicorn(guerdon.config.path, log=log, by_command=True)
        server.start(wait=False)
        return server

    return start


@on_sqlite
def test_it_works(serve: Callable[[], Gunicorn]) -> None:
    server = serve()
    wait_until(server.is_ready)
    assert server.process is not None
    interrupt(server.process, server.log)
    assert server.process.returncode == 0


@on_sqlite
@pytest.mark.parametrize("turn", range(6))
def test_workers_that_have_just_begun_end_at_once(turn: int, serve: Callable[[], Gunicorn]) -> None:
    """gunicorn alone prints SystemExit from within an import, or waits half a minute for a worker."""
    dice = random.Random(f"{SEED} {turn}")
    print(f"GUERDON_SEED={SEED}")
    server = serve()
    workers = dice.choice([1, 2])
    wait_until(lambda: server.log.read_text().count("Booting worker") >= workers, pause=0.002)
    time.sleep(dice.choice([0, 0.01, 0.1, 0.3, 0.6]))
    assert server.process is not None
    interrupt(server.process, server.log)


@on_sqlite
@pytest.mark.parametrize("turn", range(6))
def test_a_dashboard_ends_whenever_it_is_told_and_how_often(turn: int, guerdon: Guerdon) -> None:
    guerdon.database.close_all()
    dice = random.Random(f"{SEED} {turn}")
    print(f"GUERDON_SEED={SEED}")
    dashboard = Dashboard(guerdon.config.path)
    process = dashboard.start(wait=False)
    wait_until(lambda: "Booting worker" in dashboard.log.read_text(), pause=0.002)
    time.sleep(dice.choice([0, 0.05, 0.2, 0.4, 2]))
    for worker in dashboard.list_workers():
        with suppress(ProcessLookupError):
            for _ in range(3):
                os.kill(worker, signal.SIGINT)
                time.sleep(0.01)
    interrupt(process, dashboard.log)
    assert process.returncode == 0


SLOW = """
import sys, time
from pathlib import Path
from app import hookimpl

@hookimpl
def event_settled(event):
    pass

if "app.serving" in sys.orig_argv:
    Path("{began}").touch()
    time.sleep(60)
"""


@on_sqlite
@pytest.mark.parametrize("kind", [Gunicorn, Dashboard])
def test_a_worker_that_is_importing_ends_at_once(
    kind: Any, open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], tmp_path: Path
) -> None:
    """gunicorn's own way would raise SystemExit there, in the middle of whatever is imported."""
    began = tmp_path / "began"
    guerdon = open_service(more=add_plugin(SLOW.format(began=began), "slow"))
    guerdon.database.close_all()
    server = kind(guerdon.config.path)
    server.start(wait=False)
    wait_until(began.exists)
    for worker in server.list_workers():
        os.kill(worker, signal.SIGINT)
    interrupt(server.process, server.log)
    assert "Worker exiting" not in server.log.read_text()


@on_sqlite
@pytest.mark.parametrize("turn", range(4))
def test_a_command_that_is_still_imported_ends_at_once(
    turn: int, serve: Callable[[], Gunicorn]
) -> None:
    server = serve()
    process = server.process
    assert process is not None
    wait_until(lambda: read_signals(process.pid, "SigCgt") & CAUGHT, pause=0.001)
    wait_until(lambda: is_importing(process.pid), pause=0.001)
    time.sleep(0.1 * turn)
    interrupt(process, server.log)


@on_sqlite
def test_gunicorn_hears_what_came_while_it_was_imported(serve: Callable[[], Gunicorn]) -> None:
    server = serve()
    process = server.process
    assert process is not None
    wait_until(lambda: read_signals(process.pid, "SigBlk") & CAUGHT, pause=0.001)
    interrupt(process, server.log)
    assert process.returncode == 0
    assert "Handling signal: int" in server.log.read_text()


@pytest.mark.parametrize("turn", range(3))
def test_the_service_and_its_playground_end_together_and_in_silence(
    turn: int, tmp_path: Path
) -> None:
    dice = random.Random(f"{SEED} {turn}")
    print(f"GUERDON_SEED={SEED}")
    with run_guerdon(tmp_path / "run") as running:
        pid = running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 2, pause=0.002)
        time.sleep(dice.uniform(0, 3))
        interrupt(running.process, running.log)
        assert running.process.returncode == 0
