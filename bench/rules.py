"""`make bench-rules`: what ten typical rules cost beside gold alone, on this machine.

On each database three Guerdons are pressed in turn: one that gives gold for each vote, one with a voting
programme of ten rules, and, with `--votes`, one with the same programme and years of votes in its tables,
counted by `guerdon migrate`. The figures are medians, and ratios round by round.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from app.testing.database_servers import MariaDBServer
from bench.comparing import PLAYERS, SCENARIOS, Comparison, run_vote_api
from bench.filling import Insert, fill_votes, insert_into_mariadb, insert_into_sqlite
from bench.guerdon import REWARDS, Guerdon
from bench.machine import describe_run
from bench.table import draw_row, write_figure

HERE = Path(__file__).parent
DATABASES = ("mariadb", "sqlite")
TEN = REWARDS + "".join(
    f'[[rules]]\nname = "{name}"\non = "server.vote"\n{asks}\n'
    + ("" if "give_one" in asks else 'give = [{ reward = "gold", amount = "1.00" }]\n')
    for name, asks in {
        "first of the day": 'count = { at = 1, in = "day" }',
        "every 25": "count = { every = 25 }",
        "marks": "count = { at = [10, 50, 100] }",
        "marks of the month": 'count = { at = [5, 15], in = "month" }',
        "seven days": "streak = { every = 7 }",
        "once a day": 'limit = { player = "1 per day" }',
        "lucky box": (
            'give_one = [{ weight = 1, reward = "gold", amount = "1.00" }, { weight = 99 }]'
        ),
        "party": "party = { every = 50 }",
        "best of the month": 'ranking = { in = "month", place = [1, 10] }',
    }.items()
)


class Programme(Guerdon):
    """Ten rules, each of which gives one gold."""

    counts = (*Guerdon.counts, ("guerdon_grants", "id > 0"))

    def __init__(self, name: str, folder: Path, database_url: str, api_url: str) -> None:
        super().__init__(name, folder, database_url, api_url, rewards=TEN)

    def count_paid(self) -> tuple[int, int]:
        """The settled votes, twice: what players have is what the ledger gave them."""
        votes, grants, gold = self.count_books()
        assert gold == grants, f"{self.name}: {gold} gold, {grants} paid"
        return votes, votes


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    for tool, package in (("wrk", "wrk"), ("mariadbd", "mariadb-server")):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not installed: apt-get install {package}")
    print(draw_row(["database", "rules", "votes/s", "CPU us/vote", "database's", "times"]))
    print("|---" * 6 + "|", flush=True)
    results = {name: measure_database(name, args) for name in args.sides}
    if args.json:
        facts = describe_run("bench.rules") | {"filled_with": args.votes, "players": args.players}
        args.json.write_text(json.dumps(facts | {"databases": results}, indent=1) + "\n")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.rules")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(DATABASES))
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--votes", type=int, default=0, help="in the tables of a third Guerdon")
    parser.add_argument("--players", type=int, default=200_000, help="who cast these")
    parser.add_argument("--pools", type=lambda text: list(map(int, text.split(","))), default=[128],
                        help="MiB of MariaDB's innodb_buffer_pool_size, one after the other")  # fmt: skip
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    args.votes -= args.votes % args.players
    return args


def measure_database(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """All three on one kind of database; on MariaDB with each size of its pool."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
        vote_api = stack.enter_context(run_vote_api())
        mariadb = None
        if kind == "mariadb":
            (folder / "server").mkdir()
            mariadb = MariaDBServer(folder / "server")
            stack.callback(mariadb.stop)
        pid = int((folder / "server/pid").read_text()) if mariadb else None
        comparison = Comparison(folder, vote_api, pid, args.seconds)
        sides = []
        for name in ("gold alone", "ten rules", *(["ten rules, filled"] if args.votes else [])):
            side, insert = make_side(name, folder / name.replace(" ", "-"), mariadb, vote_api.url)
            stack.callback(side.stop)
            fill(side, insert, args)
            side.start()
            comparison.warm_up(side)
            sides.append(side)
        if mariadb is None:
            return press_in_turn(kind, comparison, sides, args.rounds)
        return press_by_pools(mariadb, comparison, sides, args)


def press_by_pools(
    mariadb: MariaDBServer,
    comparison: Comparison,
    sides: Sequence[Guerdon],
    args: argparse.Namespace,
) -> dict[str, Any]:
    summaries = {}
    for pool in args.pools:
        mariadb.run("SET GLOBAL innodb_buffer_pool_size = %s", [pool << 20])
        summaries[pool] = press_in_turn(f"mariadb, {pool} MiB", comparison, sides, args.rounds)
    return summaries


def press_in_turn(
    name: str, comparison: Comparison, sides: Sequence[Guerdon], rounds: int
) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            taken[side.name].append(comparison.measure(side, SCENARIOS[0]))
    return summarize(name, taken)


def make_side(
    name: str, folder: Path, mariadb: MariaDBServer | None, api_url: str
) -> tuple[Guerdon, Insert]:
    folder.mkdir()
    kind = Guerdon if name == "gold alone" else Programme
    if mariadb is None:
        path = folder / "guerdon.db"
        return kind(name, folder, f"sqlite:///{path}", api_url), insert_into_sqlite(path)
    database = mariadb.create_database()
    return (
        kind(name, folder, mariadb.url(database), api_url),
        insert_into_mariadb(mariadb, database),
    )


def fill(side: Guerdon, insert: Insert, args: argparse.Namespace) -> None:
    """Players; and for the one that is filled, the votes, counted."""
    is_filled = "filled" in side.name
    side.fill([f"player{n}" for n in range(args.players if is_filled else PLAYERS)])
    if is_filled:
        fill_votes(side, insert, args.votes, args.players)
        began = time.monotonic()
        side.inside.migrate()
        print(f"counted {args.votes:,} votes in {time.monotonic() - began:.0f} s", flush=True)


def summarize(kind: str, taken: Mapping[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians, and how many times the votes a second of the one before it each has, by round."""
    summary: dict[str, Any] = {}
    before: list[dict[str, float]] | None = None
    for name, rounds in taken.items():
        medians = {key: round(median(one[key] for one in rounds), 1) for key in rounds[0]}
        summary[name] = {"medians": medians, "rounds": rounds}
        ratio = ""
        if before:
            pairs = zip(rounds, before, strict=True)
            ratios = [one["votes_per_second"] / other["votes_per_second"] for one, other in pairs]
            summary[name]["times"] = {"median": round(median(ratios), 3), "rounds": ratios}
            ratio = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        figures = ("votes_per_second", "cpu_us", "database_cpu_us")
        print(
            draw_row([kind, name, *(write_figure(medians[one]) for one in figures), ratio]),
            flush=True,
        )
        before = rounds
    return summary


if __name__ == "__main__":
    main()
