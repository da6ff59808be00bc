"""Senders to be killed: gunicorn's app with shorter leases, and one that runs at a time of the test's.

`gunicorn ... "tests.senders:make_app(4000)"` serves the Guerdon of GUERDON_CONFIG; what a killed
worker had leased is taken over after 4 s instead of 45 or 60. `python -m tests.senders CONFIG NOW`
begins to send what is due at NOW (ms since the epoch) and then waits for its end.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from app import beginning, create_app, database, deliveries, inbox, outbox, recording
from app.guerdon import open_guerdon


def make_app(lease_length: int, answer_timeout: float = 10.0) -> Any:
    """`lease_length` in ms, `answer_timeout` in seconds: how long anybody waits for the database."""
    for room in (database, deliveries, outbox, recording):
        room.ANSWER_TIMEOUT = answer_timeout  # type: ignore[attr-defined]
    inbox.PATIENCE = answer_timeout / 2
    beginning.LEASE_LENGTH = inbox.LEASE_LENGTH = lease_length
    return create_app(os.environ["GUERDON_CONFIG"])


def send_at(config: Path, now: int) -> None:
    open_guerdon(config, lambda: now).outbox.serve_once()
    threading.Event().wait()


if __name__ == "__main__":
    send_at(Path(sys.argv[1]), int(sys.argv[2]))
