"""A process that polls and pays what is due, until nothing is left: `python -m … CONFIG NOW`."""

import sys
from pathlib import Path

from app.opening import open_guerdon


def main() -> None:
    config, now = sys.argv[1:]
    guerdon = open_guerdon(Path(config), lambda: int(now))
    for _ in range(5):
        guerdon.poller.poll_due()
    with guerdon.database.connection_context():
        while (lease := guerdon.inbox.take_due(16)).ids:
            for id_ in lease.ids:
                guerdon.deliveries.retry(id_, lease.token)
    guerdon.close()


if __name__ == "__main__":
    main()
