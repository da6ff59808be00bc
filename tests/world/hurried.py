"""gunicorn's app with every lease and pause cut short, so that what a kill leaves behind is taken up soon.

`gunicorn ... "tests.world.hurried:make_app()"` serves the Guerdon of GUERDON_CONFIG. The pauses are what is
short, not the time that anything is allowed to take; what is decided is decided by the service's own code.
"""

import dataclasses
import os
from typing import Any

from app import create_app
from app.delivering import console, deciding, delivering, store
from app.paying import inbox
from app.polling import poller
from app.reporting import circuit_breaker
from app.reporting import store as reports

LEASE = 8_000  # ms; longer than the consoles' timeout and MARGIN
POLL_EVERY = 1.5  # seconds; plugins want a minute at least


def make_app() -> Any:
    store.LEASE = store.SENDING = console.LEASE = console.SENDING = LEASE
    console.DUTY, console.MARGIN, console.LOOK_EVERY = 3_000, 1.0, 0.5
    console.SHORTEST_WAIT = 1_000
    deciding.CHECK_AGAIN = deciding.SHORTEST_PAUSE = 300
    delivering.POLL = 0.2
    inbox.LEASE_LENGTH = reports.LEASE_LENGTH = LEASE
    poller.LEASE, poller.AGAIN = 4_000, 1.0
    circuit_breaker.PAUSES = (1, 1, 2, 2, 3)  # type: ignore[assignment]
    read_polled = poller.read_polled

    def read_hurried(answer: Any) -> Any:
        return dataclasses.replace(read_polled(answer), pause=POLL_EVERY)

    poller.read_polled = read_hurried
    return create_app(os.environ["GUERDON_CONFIG"])
