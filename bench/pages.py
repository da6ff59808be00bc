"""`make bench-pages`: what the dashboard costs the database, at years of votes.

A ledger is filled and counted by the hour. Then every page is asked for as a browser does: the median of some
visits in ms, in all and at the database. With --questions each reading function is timed too.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.machine import describe_run
from bench.questions import ask_all, count_ledger
from bench.table import draw_row
from bench.visiting import visit_all
from bench.years import open_ledger
from tests.world.running_dashboards import USERS

DATABASES = ("sqlite", "mariadb")
WANTED = 50.0  # ms at the database, of a page


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    results = {name: measure_database(name, args) for name in args.sides}
    if args.json:
        args.json.write_text(json.dumps(describe_run("bench.pages") | results, indent=1) + "\n")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pages")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(DATABASES))
    parser.add_argument("--votes", type=int, default=2_000_000, help="settled ones")
    parser.add_argument("--players", type=int, default=200_000, help="who cast them")
    parser.add_argument("--others", type=int, default=200_000, help="reports, and the inbox's rows")
    parser.add_argument("--open", type=int, default=5_000, help="of each of these that are open")
    parser.add_argument("--rounds", type=int, default=7, help="of each page, and each question")
    parser.add_argument("--questions", action="store_true", help="time the reading functions too")
    parser.add_argument("--folder", type=Path, help="where a filled SQLite file is kept")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    args.votes -= args.votes % args.players
    return args


def measure_database(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """All of it, on one kind of database."""
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        began = time.monotonic()
        side = open_ledger(kind, folder, args, USERS, stack)
        results: dict[str, Any] = {"seconds_to_fill": round(time.monotonic() - began, 1)}
        print(f"\n{kind}: {args.votes:,} votes, in {results['seconds_to_fill']} s", flush=True)
        results["questions"] = dict(show_questions(count_ledger(side)))
        if args.questions:
            results["questions"] |= dict(show_questions(ask_all(side, args.rounds)))
        results["pages"] = dict(show_visits(visit_all(side, args.rounds)))
    return results


def show_questions(questions: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    print(draw_row(["question", "median ms", "most ms"]), "|---" * 3 + "|", sep="\n")
    for question, taken in questions:
        print(draw_row([question, *(f"{one:.1f}" for one in taken)]), flush=True)
        yield question, taken


def show_visits(visits: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    heads = ["page", "median ms", "most ms", "at the database", "statements", ""]
    print(draw_row(heads), "|---" * len(heads) + "|", sep="\n")
    for page, one in visits:
        notes = [] if one["status"] == 200 else [f"status {one['status']}"]
        notes += ["more than wanted"] if one["database"] > WANTED else []
        facts = [one[name] for name in ("total", "most", "database", "statements")]
        print(draw_row([page[:90], *facts, ", ".join(notes)]), flush=True)
        yield page, one


if __name__ == "__main__":
    main()
