"""A process that counts the ledger once, as a dispatcher does, and ends.

`python -m tests.world.rolling_alone CONFIG NOW`, with the time in ms.
"""

import sys
from pathlib import Path

from app.numbers.rolling import Roller
from app.opening import open_guerdon


def main() -> None:
    now = int(sys.argv[2])
    guerdon = open_guerdon(Path(sys.argv[1]), lambda: now)
    roller = Roller(guerdon.database, guerdon.now, 10)
    roller._lease.hold = lambda: True  # type: ignore[method-assign]  # the one before was killed
    roller.roll(60)
    guerdon.close()


if __name__ == "__main__":
    main()
