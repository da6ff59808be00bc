"""A process that compares with the site's list, heals, and serves the boxes as a worker does; then it ends.

`python -m tests.world.reconciling_alone CONFIG NOW SINCE`, both in ms since the epoch.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.opening import open_guerdon

PASSES = 3


def main() -> None:
    config, now, since = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    guerdon = open_guerdon(config, lambda: now)
    guerdon.reconciler.reconcile("gamemonitoring", since, heal=True, servers=["1"])
    with ThreadPoolExecutor(4) as pool:
        for _ in range(PASSES):
            guerdon.dispatcher.serve_once(pool)
    guerdon.close()


if __name__ == "__main__":
    main()
