"""`python -m bench.failing`: what one vote that cannot be paid costs the 63 that are paid with it.

Batches of 64 are settled in this process, with and without such a vote, in turn; the figures are
medians of the votes paid a second. `new`: an empty pool of promo codes, and another vote that wants
one in each batch. `again`: the same vote each time, as it comes from the inbox. `hidden`: the same
vote each time, which fails where the whole batch is written, so that nobody is named.
"""

import argparse
import itertools
import logging
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import structlog

from app.database.models import OwnPlayer
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.database_servers import MariaDBServer

PLAYERS = 500
BATCH = 64
CONFIG = '[database]\nurl = "{url}"\n[plugins.gold]\n[plugins.promo_codes]\n'
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
[[rules]]
on = "server.vote"
server = "codes"
give = [{ reward = "promo_code", pool = "empty" }]
"""
numbers = itertools.count()


def make_work(id: str, server: str = "1") -> Work:
    player = "rich" if server == "rich" else f"player{zlib.crc32(id.encode()) % PLAYERS}"
    return Work([Event("gamemonitoring", "server.vote", id, server, player)])


def make_good() -> list[Work]:
    return [make_work(f"v{n}") for n in itertools.islice(numbers, BATCH)]


def make_with(id: Callable[[], str], server: str) -> Callable[[], list[Work]]:
    """A batch whose 21st vote cannot be paid; the other 63 can."""

    def make() -> list[Work]:
        works = make_good()
        works[20] = make_work(id(), server)
        return works

    return make


KINDS = {
    "none": make_good,
    "new": make_with(lambda: f"code{next(numbers)}", "codes"),
    "again": make_with(lambda: "code", "codes"),
    "hidden": make_with(lambda: "hidden", "rich"),
}


def measure(guerdon: Guerdon, make: Callable[[], list[Work]], batches: int) -> float:
    """Votes paid a second."""
    all_works = [make() for _ in range(batches)]
    paid, began = 0, time.monotonic()
    for works in all_works:
        paid += sum(outcome.state == "settled" for outcome in guerdon.settler.settle(works))
    took = time.monotonic() - began
    expected = batches * (BATCH if make is make_good else BATCH - 1)
    assert paid == expected, f"{paid} of {expected} are paid"
    return paid / took


def open_one(folder: Path, url: str) -> Guerdon:
    config = folder / "guerdon.toml"
    config.write_text(CONFIG.format(url=url))
    (folder / "rewards.toml").write_text(RULES)
    guerdon = open_guerdon(config)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    guerdon.migrate()
    names = ["rich", *(f"player{n}" for n in range(PLAYERS))]
    with guerdon.database.connection_context():
        OwnPlayer.insert_many(
            [{"nickname": one, "folded": one, "gold": 0, "created_at": 0} for one in names]
        ).execute()
        # One whose gold has no room for more: the sum is refused where all are written.
        full = "'full'" if guerdon.database.family == "sqlite" else "9999999999999999.99"
        guerdon.database.execute_sql(f"UPDATE players SET gold = {full} WHERE nickname = 'rich'")
    guerdon.database.keep_connection()
    return guerdon


def list_databases(stack: ExitStack) -> Iterator[tuple[str, Path, str]]:
    """Each kind that is here: its name, a folder, a URL."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-failing-")))
    (folder / "sqlite").mkdir()
    yield "sqlite", folder / "sqlite", f"sqlite:///{folder}/sqlite/guerdon.db"
    if shutil.which("mariadbd"):
        server = MariaDBServer(folder / "mariadb")
        stack.callback(server.stop)
        yield "mariadb", folder / "mariadb", server.url(server.create_database())


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.failing")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--batches", type=int, default=1, help="of 64, in a round of one kind")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    args = parser.parse_args()
    with ExitStack() as stack:
        for name, folder, url in list_databases(stack):
            guerdon = open_one(folder, url)
            for kind in args.kinds:  # warm
                measure(guerdon, KINDS[kind], 2)
            rates: dict[str, list[float]] = {kind: [] for kind in args.kinds}
            for _ in range(args.rounds):
                for kind in args.kinds:
                    rates[kind].append(measure(guerdon, KINDS[kind], args.batches))
            for kind, taken in rates.items():
                share = median(taken) / median(rates["none"])
                print(f"{name:8} {kind:7} {median(taken):7.0f} votes/s  x{share:.2f}")
            guerdon.close()


if __name__ == "__main__":
    main()
