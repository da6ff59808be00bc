"""A process that strips what is old, as a dispatcher does, and ends.

`python -m tests.world.stripping_alone CONFIG NOW`, with the time in ms.
"""

import sys
from pathlib import Path

from app.opening import open_guerdon


def main() -> None:
    now = int(sys.argv[2])
    guerdon = open_guerdon(Path(sys.argv[1]), lambda: now)
    while guerdon.keeper.strip_some() is not None:
        pass
    guerdon.close()


if __name__ == "__main__":
    main()
