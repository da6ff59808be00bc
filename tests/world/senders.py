"""Senders to be killed: gunicorn's app with shorter leases, and one that runs at a time of the test's.

`gunicorn ... "tests.world.senders:make_app(4000)"` serves the Guerdon of GUERDON_CONFIG; what a killed
worker had leased is taken over after 4 s instead of 45 or 60. `python -m tests.world.senders CONFIG NOW`
begins to send what is due at NOW (ms since the epoch) and then waits for its end. With a folder as a
third argument it goes by real time and a lease of NOW ms, and right before the bytes leave it writes
"begun" there and waits for "go".
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from app import create_app
from app.database import opening as database
from app.opening import open_guerdon
from app.paying import accepting as deliveries
from app.paying import inbox
from app.reporting import recorder as recording
from app.reporting import sender as sending
from app.reporting import store, waiting_callers


def make_app(lease_length: int, answer_timeout: float = 10.0) -> Any:
    """`lease_length` in ms, `answer_timeout` in seconds: how long anybody waits for the database."""
    for room in (database, deliveries, waiting_callers, recording):
        room.ANSWER_TIMEOUT = answer_timeout  # type: ignore[attr-defined]
    inbox.PATIENCE = answer_timeout / 2
    store.LEASE_LENGTH = inbox.LEASE_LENGTH = lease_length
    return create_app(os.environ["GUERDON_CONFIG"])


def send_at(config: Path, now: int) -> None:
    open_guerdon(config, lambda: now).outbox.serve_once()
    threading.Event().wait()


def send_held_up(config: Path, lease_length: int, folder: Path) -> None:
    """As one whose host is busy with something else at the worst of times."""

    def hold_up(point: str) -> None:
        if point == "sending: before the bytes leave":
            (folder / "begun").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)

    store.LEASE_LENGTH = lease_length
    sending.reach = hold_up
    open_guerdon(config).outbox.serve_once()
    threading.Event().wait()


if __name__ == "__main__":
    path, number, *folder = sys.argv[1:]
    if folder:
        send_held_up(Path(path), int(number), Path(folder[0]))
    send_at(Path(path), int(number))
