"""`python -m bench.pages`: what the dashboard's questions cost the database, at years of votes.

A ledger is filled, counted by the hour, and each reading function timed: the least and the median of some
rounds, in ms. Beside them: how long counting an old ledger takes, and its longest stretch.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from app.numbers.open_counts import count_open
from app.numbers.plots import PlotName, read_series
from app.numbers.records import read_last_settled, read_rule_records, read_totals
from app.numbers.rolling import Roller
from app.numbers.tallies import DAY, HOUR
from app.testing.database_servers import MariaDBServer
from bench.comparing import PLAYERS
from bench.filling import Insert, Row, fill_tables, insert_into_mariadb, insert_into_sqlite
from bench.guerdon import Guerdon
from bench.machine import describe_run
from bench.table import draw_row

DATABASES = ("sqlite", "mariadb")
SOURCES, SERVERS, RULES = ("gamemonitoring", "topgg", "listforge"), 5, 10
WINDOWS = {"24 h": (DAY, HOUR), "30 days": (30 * DAY, DAY), "a year": (365 * DAY, DAY)}
WANTED = 50.0  # ms


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    print(draw_row(["database", "what", "median ms", "most ms"]), "|---" * 4 + "|", sep="\n")
    results = {name: measure_database(name, args) for name in args.sides}
    if args.json:
        args.json.write_text(json.dumps(describe_run("bench.pages") | results, indent=1) + "\n")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.pages")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(DATABASES))
    parser.add_argument("--votes", type=int, default=2_000_000, help="settled ones")
    parser.add_argument("--others", type=int, default=200_000, help="reports, and the inbox's rows")
    parser.add_argument("--open", type=int, default=5_000, help="of each of these that are open")
    parser.add_argument("--rounds", type=int, default=7, help="of each question")
    parser.add_argument("--folder", type=Path, help="where a filled SQLite file is kept")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    args.votes -= args.votes % PLAYERS
    return args


def measure_database(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    """All questions, on one kind of database."""
    with ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind == "mariadb":
            if not shutil.which("mariadbd"):
                raise SystemExit("mariadbd is not installed: apt-get install mariadb-server")
            (folder / "server").mkdir()
            server = MariaDBServer(folder / "server")
            stack.callback(server.stop)
            name = server.create_database()
            side = Guerdon(kind, folder, server.url(name), "http://127.0.0.1:9", REPORTERS)
            insert = insert_into_mariadb(server, name)
        else:
            path = folder / "guerdon.db"
            side = Guerdon(kind, folder, f"sqlite:///{path}", "http://127.0.0.1:9", REPORTERS)
            insert = insert_into_sqlite(path)
        stack.callback(side.look_away)
        began = time.monotonic()
        fill(side, insert, args)
        print(draw_row([kind, "filled in", f"{time.monotonic() - began:.0f} s", ""]), flush=True)
        results = dict(count_ledger(side)) | dict(ask_all(side, args))
    for question, taken in results.items():
        print(draw_row([kind, question, *(f"{one:.1f}" for one in taken)]), flush=True)
    return {kind: results}


REPORTERS = """
[plugins.g123]
host = "http://127.0.0.1:9"
app_id = "bench"
app_secret = "bench-secret"
[plugins.sud]
report_url = "http://127.0.0.1:9/report"
app_id = "bench"
app_secret = "bench-secret"
"""


def fill(side: Guerdon, insert: Insert, args: argparse.Namespace) -> None:
    """The ledger of several sources, servers and rules; so many open rows in each box."""
    side.fill([f"player{n}" for n in range(PLAYERS)])
    fill_tables(side, vary(insert), args.votes, args.others)
    now, database = side.inside.now(), side.inside.database
    database.close_all()  # only a file that nobody has open is filled fast
    insert("guerdon_claims", make_claims(args.others, args.open, now))
    with database.connection_context():
        for table in ("guerdon_inbox", "guerdon_reports"):
            for state, share in (("ready", 1), ("dead", 2)):
                last = args.others - share * args.open
                sql = f"UPDATE {table} SET state = '{state}' WHERE id > {last} AND id <= {last + args.open}"
                database.execute_sql(sql)
        for table in ("guerdon_events", "guerdon_grants", "guerdon_inbox", "guerdon_reports",
                      "guerdon_sends", "guerdon_claims"):  # fmt: skip
            database.execute_sql(
                f"ANALYZE {'TABLE ' * (database.family == 'mysql')}{table}"
            ).fetchall()


def vary(insert: Insert) -> Insert:
    """Rows as they come from several sources, of several servers, by several rules."""
    dice = random.Random(1)

    def change(table: str, rows: Any) -> Iterator[Row]:
        for row in rows:
            if table == "guerdon_events":
                row |= {"source": dice.choice(SOURCES), "server_id": str(dice.randrange(SERVERS))}
            if table == "guerdon_grants":
                row |= {
                    "rule": f"rule {dice.randrange(RULES)}",
                    "server_id": str(dice.randrange(SERVERS)),
                }
            if table == "guerdon_reports":
                row |= {"reporter": dice.choice(("g123", "sud"))}
            yield row

    return lambda table, rows: insert(table, change(table, rows))


def make_claims(count: int, open_ones: int, now: int) -> Iterator[Row]:
    for number in range(count):
        is_open = number >= count - open_ones
        yield {
            "id": number + 1, "server_id": str(number % SERVERS), "player_id": str(number),
            "nickname": f"player{number}", "event_type": "server.vote", "event_id": str(number),
            "payload": "{}", "state": "ready" if is_open else "done", "lease_token": "",
            "lease_until": 0, "takes": 0, "created_at": now - count + number,
        }  # fmt: skip


def count_ledger(side: Guerdon) -> Iterator[tuple[str, tuple[float, float]]]:
    """Count all by the hour, as the dispatcher does; the whole time, and the longest single look."""
    roller = Roller(side.inside.database, side.inside.now)
    began, looks = time.monotonic(), []
    while not looks or roller._next_look == 0:
        look = time.monotonic()
        roller.roll()
        looks.append((time.monotonic() - look) * 1000)
    yield "counting all; a look", ((time.monotonic() - began) * 1000, max(looks))


def ask_all(side: Guerdon, args: argparse.Namespace) -> Iterator[tuple[str, tuple[float, float]]]:
    for question, ask in list_questions(side).items():
        yield question, time_rounds(side, ask, args.rounds)


def list_questions(side: Guerdon) -> Mapping[str, Callable[[], Any]]:
    """Everything that a page asks of the numbers."""
    database, now = side.inside.database, side.inside.now()
    rules = [f"rule {number}" for number in range(RULES + 1)]
    questions: dict[str, Callable[[], Any]] = {
        "count_open": lambda: count_open(database),
        "read_last_settled": lambda: read_last_settled(database),
        "read_rule_records": lambda: read_rule_records(database, rules),
        "read_totals, ever": lambda: read_totals(database, None),
        "read_totals, 24 h": lambda: read_totals(database, now - DAY),
        "read_totals, 400 days": lambda: read_totals(database, now - 400 * DAY),
    }
    for name in PlotName:
        for window, (length, step) in WINDOWS.items():
            questions[f"{name}, {window}"] = make_plot(database, name, now - length, now, step)
    return questions


def make_plot(database: Any, name: str, since: int, until: int, step: int) -> Callable[[], Any]:
    return lambda: read_series(database, name, since, until, step)


def time_rounds(side: Guerdon, ask: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """The median and the most, in ms, of a whole question: the database's time and ours."""
    taken = []
    for _ in range(rounds):
        began = time.monotonic()
        with side.inside.database.limit_time(60):
            ask()
        taken.append((time.monotonic() - began) * 1000)
    return median(taken), max(taken)


if __name__ == "__main__":
    main()
