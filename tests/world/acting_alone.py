"""A process to be killed that goes on with acts: `python -m tests.world.acting_alone CONFIG LEASE`.

LEASE in ms: whatever a killed one had in hand is gone on with after that. It ends once all acts are over.
"""

import sys
import time
from pathlib import Path

from app.opening import open_guerdon
from app.upkeep import running


def act_alone(config: Path, lease: int) -> None:
    running.LEASE, running.TURN = lease, 0.05
    guerdon = open_guerdon(config)
    while guerdon.acts.runner.find_first() is not None:
        if not guerdon.acts.runner.run_turn():
            time.sleep(0.02)
    guerdon.close()


if __name__ == "__main__":
    act_alone(Path(sys.argv[1]), int(sys.argv[2]))
