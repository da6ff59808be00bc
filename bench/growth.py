"""`make bench-growth`: what Guerdon costs with years of votes in its tables, and at rest.

Each figure is taken on a fresh database and on one filled with settled votes, delivered reports
and an inbox's finished rows, in turn: votes, reports and waiting votes a second. Beside them: the
CPU of idle workers, their memory after many votes, and how soon a start is answered.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.testing.database_servers import MariaDBServer
from bench.comparing import PLAYERS, Comparison, VoteApi, run_vote_api
from bench.filling import Insert, fill_tables, insert_into_mariadb, insert_into_sqlite
from bench.growing import Growth
from bench.guerdon import Guerdon
from bench.machine import describe_run
from bench.reports import run_platform
from bench.table import draw_row, write_figure

HERE = Path(__file__).parent
SIDES = ("mariadb", "sqlite")
TABLES = ("fresh", "filled")
VOTES, OTHERS, MANY = 2_000_000, 200_000, 200_000
PARTS = ("votes", "reports", "inbox", "idle", "start", "memory")
# By figure: its unit, what is wanted, and whether that is the most there may be.
WANTED = {
    "votes": ("filled : fresh", 0.9, False),
    "reports": ("filled : fresh", 0.9, False),
    "inbox": ("filled : fresh", 0.9, False),
    "idle": ("% of a core", 1.0, True),
    "start": ("s to a 2xx", 2.0, True),
    "memory": ("MB/worker", 120.0, True),
}
REPORTERS = """
[plugins.g123]
host = "http://127.0.0.1:{port}"
app_id = "bench"
app_secret = "bench-secret"
[plugins.sud]
report_url = "http://127.0.0.1:{port}/report"
app_id = "bench"
app_secret = "bench-secret"
"""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    for tool, package in (("wrk", "wrk"), ("mariadbd", "mariadb-server")):
        if not shutil.which(tool):
            print(f"{tool} is not installed, and its part not measured: apt-get install {package}")
    if not shutil.which("wrk"):
        args.parts = [part for part in args.parts if part not in ("votes", "memory")]
    results: dict[str, Any] = {}
    print(*draw_head(), sep="\n", flush=True)
    for name in args.sides:
        if name == "sqlite" or shutil.which("mariadbd"):
            results[name] = measure_database(name, args)
    path = args.json or (HERE / "growth.json" if is_whole(args, results) else None)
    if path:
        facts = describe_run("bench.growth") | {"tables": describe_tables(args)}
        path.write_text(json.dumps(facts | {"databases": results}, indent=1) + "\n")
    else:
        print("only a part of it was measured: --json FILE keeps its figures")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.growth")
    words = {"type": lambda text: text.split(",")}
    parser.add_argument("--sides", **words, default=list(SIDES))  # type: ignore[arg-type]
    parser.add_argument("--parts", **words, default=list(PARTS))  # type: ignore[arg-type]
    numbers = {
        "votes": (VOTES, "settled votes in the filled database"),
        "others": (OTHERS, "delivered reports there, and rows of the inbox"),
        "rounds": (3, "of each database, in turn"),
        "seconds": (5, "of a round of votes"),
        "backlog": (5000, "reports, or waiting votes, of a round"),
        "idle": (20, "seconds at rest"),
        "many": (MANY, "votes before the workers' memory is read"),
    }
    for name, (default, words_) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=words_)
    parser.add_argument(
        "--json", type=Path, help="where the figures go; growth.json for a whole run"
    )
    args = parser.parse_args()
    if unknown := (set(args.sides) - set(SIDES)) | (set(args.parts) - set(PARTS)):
        parser.error(f"no such side or part: {', '.join(unknown)}")
    args.votes -= args.votes % PLAYERS
    return args


def is_whole(args: argparse.Namespace, results: Mapping[str, Any]) -> bool:
    enough = args.votes >= VOTES, args.others >= OTHERS, args.many >= MANY
    return (tuple(results), tuple(args.parts), *enough) == (SIDES, PARTS, True, True, True)


def describe_tables(args: argparse.Namespace) -> dict[str, int]:
    return {"votes": args.votes, "reports": args.others, "inbox": args.others}


def measure_database(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """Every part, on one kind of database."""
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
        vote_api = stack.enter_context(run_vote_api())
        platform = stack.enter_context(run_platform(0.0))
        mariadb = None
        if kind == "mariadb":
            (folder / "server").mkdir()
            mariadb = MariaDBServer(folder / "server")
            stack.callback(mariadb.stop)
        pid = int((folder / "server/pid").read_text()) if mariadb else None
        sides = {}
        for name in ("fresh", "filled"):
            (folder / name).mkdir()
            sides[name], insert = make_side(name, folder / name, mariadb, vote_api, platform)
            stack.callback(sides[name].stop)
            sides[name].fill([f"player{n}" for n in range(PLAYERS)])
            if name == "filled":
                began = time.monotonic()
                fill_tables(sides[name], insert, args.votes, args.others)
                results["seconds_to_fill"] = round(time.monotonic() - began, 1)
        growth = Growth(sides, Comparison(folder, vote_api, pid, args.seconds), args)
        for part in args.parts:
            results[part] = judge(part, getattr(growth, f"take_{part}")())
            print(*draw_part(kind, part, results[part]), sep="\n", flush=True)
    return results


def make_side(
    name: str, folder: Path, mariadb: MariaDBServer | None, vote_api: VoteApi, platform: int
) -> tuple[Guerdon, Insert]:
    """A Guerdon with all reporters, and what fills its tables."""
    more = REPORTERS.format(port=platform)
    if mariadb is None:
        path = folder / "guerdon.db"
        side = Guerdon(name, folder, f"sqlite:///{path}", vote_api.url, more)
        return side, insert_into_sqlite(path)
    database = mariadb.create_database()
    side = Guerdon(name, folder, mariadb.url(database), vote_api.url, more)
    return side, insert_into_mariadb(mariadb, database)


def judge(part: str, result: dict[str, Any]) -> dict[str, Any]:
    """The result, with what is wanted and whether it is reached."""
    unit, bound, is_most = WANTED[part]
    figure = result["figure"]
    facts = {"unit": unit, "wanted": f"{'<=' if is_most else '>='} {bound:g}"}
    return facts | result | {"is_reached": figure <= bound if is_most else figure >= bound}


def draw_head() -> Iterator[str]:
    head = ["database", "what", "fresh", "filled", "figure", "unit", "wanted", ""]
    yield draw_row(head)
    yield "|---" * len(head) + "|"


def draw_part(kind: str, part: str, one: Mapping[str, Any]) -> Iterator[str]:
    medians = [write_figure(one[name]["median"]) if name in one else "" for name in TABLES]
    verdict = "reached" if one["is_reached"] else "missed"
    yield draw_row([kind, part, *medians, one["figure"], one["unit"], one["wanted"], verdict])


if __name__ == "__main__":
    main()
