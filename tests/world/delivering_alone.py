"""A process to be killed that delivers claims: `python -m tests.world.delivering_alone CONFIG LEASE`.

LEASE in ms: what a killed one had in hand is unknown, or ready again, after that. What waits is looked at all
the time, and sent again after a hundredth of the usual pauses. It ends when it is killed.
"""

import sys
import time
from pathlib import Path

from app.delivering import console, deciding, store
from app.opening import open_guerdon
from app.reporting import circuit_breaker


def deliver_alone(config: Path, lease: int) -> None:
    store.LEASE = store.SENDING = console.LEASE = console.SENDING = lease
    console.DUTY, console.MARGIN, console.LOOK_EVERY = lease, 0.05, 0.1
    deciding.SHORTEST_PAUSE, circuit_breaker.PAUSES = 50, (0.1,)
    guerdon = open_guerdon(config)
    while True:
        guerdon.delivering.serve_once()
        time.sleep(0.02)


if __name__ == "__main__":
    deliver_alone(Path(sys.argv[1]), int(sys.argv[2]))
