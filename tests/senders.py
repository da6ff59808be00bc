"""Senders to be killed: gunicorn's app with shorter leases, and one that runs at a time of the test's.

`gunicorn ... "tests.senders:make_app(4000)"` serves the Guerdon of GUERDON_CONFIG; what a killed
worker had leased is taken over after 4 s instead of 45. `python -m tests.senders CONFIG NOW`
begins to send what is due at NOW (ms since the epoch) and then waits for its end.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

from app import beginning, create_app
from app.guerdon import open_guerdon


def make_app(lease_length: int) -> Any:
    """`lease_length` in ms."""
    beginning.LEASE_LENGTH = lease_length
    return create_app(os.environ["GUERDON_CONFIG"])


def send_at(config: Path, now: int) -> None:
    open_guerdon(config, lambda: now).outbox.serve_once()
    threading.Event().wait()


if __name__ == "__main__":
    send_at(Path(sys.argv[1]), int(sys.argv[2]))
