"""A process that settles votes and serves the boxes until nothing is due, as a worker does; then it ends.

`python -m tests.world.paying_alone CONFIG NOW`, with votes on its input, as JSON: lists of those that are
settled in one commit.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event

PASSES = 6


def main() -> None:
    config, now = Path(sys.argv[1]), int(sys.argv[2])
    guerdon = open_guerdon(config, lambda: now)
    for batch in json.load(sys.stdin):
        works = [Work([Event("gamemonitoring", "server.vote", **vote)]) for vote in batch]
        outcomes = guerdon.settler.settle(works)
        assert {outcome.state for outcome in outcomes} <= {"settled", "known"}, outcomes
    with ThreadPoolExecutor(4) as pool:
        for _ in range(PASSES):
            guerdon.dispatcher.serve_once(pool)
    guerdon.close()


if __name__ == "__main__":
    main()
