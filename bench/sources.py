"""`make bench-sources`: votes a second by each source, on SQLite and MariaDB, on this machine.

On each database one Guerdon, two workers, has all sources on; it is pressed by one after the other, round
after round, with new votes alone. wrk sends what comes over HTTP; Votifier's port is pressed by a client
written in Python, which takes a part of the machine that wrk leaves free. The figures are medians, with the
least and the greatest round. Afterwards every vote that was answered is paid, once.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from app.testing.database_servers import MariaDBServer
from app.testing.ports import find_free_port
from bench.comparing import MOST, PLAYERS, VoteApi, run_vote_api
from bench.guerdon import Guerdon
from bench.load import read_cpu, run_wrk, wait_for_rest
from bench.machine import describe_run
from bench.sites import BY_PORT, SECTIONS, SOURCES, take_numbers, write_requests
from bench.table import draw_row, write_figure

DATABASES = ("mariadb", "sqlite")
WARM_UP = 2.0  # seconds of each source before the first round
HEAD = (
    "database",
    "source",
    "votes/s",
    "least to most",
    "median ms",
    "p99 ms",
    "CPU us/vote",
    "database's",
)


class Bench:
    """One Guerdon on one database, with its votes."""

    def __init__(
        self, folder: Path, side: Guerdon, port: int, database: int | None, connections: int
    ) -> None:
        """`port` is Votifier's; `database` MariaDB's process id."""
        self._folder, self._side, self._port = folder, side, port
        self._database = [database] if database else []
        self._connections = connections

    def measure(self, source: str, seconds: float) -> dict[str, float]:
        """One round of one source."""
        paid, _ = self._side.count_paid()
        groups = self._side.list_processes(), self._database
        began = [read_cpu(pids) for pids in groups]
        result = self._press(source, seconds)
        wait_for_rest([*self._side.list_processes(), *self._database])
        cpu, database_cpu = (
            read_cpu(pids) - before for pids, before in zip(groups, began, strict=True)
        )
        requests = result["requests"]
        self._check(source, paid, requests)
        return {
            "votes_per_second": round(requests / result["seconds"], 1),
            "median_ms": result["median_ms"], "p99_ms": result["p99_ms"],
            "cpu_us": round(1e6 * cpu / requests),
            "database_cpu_us": round(1e6 * database_cpu / requests),
        }  # fmt: skip

    def _press(self, source: str, seconds: float) -> dict[str, Any]:
        """Every answer said that all is well."""
        if source == BY_PORT:
            first = take_numbers(1)[0]
            asked = map(str, (self._port, first, self._connections, seconds))
            command = [sys.executable, "-m", "bench.voting", *asked]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            said: dict[str, Any] = json.loads(done.stdout)
            return said
        made = int(MOST * seconds)
        path = write_requests(self._folder / "requests", source, made)
        result = run_wrk(self._side.url, path, self._connections, seconds, "requests.lua")
        problems = result["not_2xx"], result["broken"]
        logs = self._side.read_logs
        assert problems == (0, 0), f"{source}: {problems} not 2xx, broken\n{logs()}"
        assert result["requests"] < made, "the votes ran out: raise MOST"
        return result

    def _check(self, source: str, before: int, answered: int) -> None:
        """Those that wrk left unanswered may be paid, too."""
        events, gold = self._side.count_paid()
        assert events == gold, f"{source}: {events} events are stored, but {gold} is paid"
        paid, in_hand = events - before, 0 if source == BY_PORT else self._connections
        assert answered <= paid <= answered + in_hand, f"{source}: {answered} answered, {paid} paid"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    results = {}
    print(draw_row(HEAD), "|---" * len(HEAD) + "|", sep="\n", flush=True)
    for kind in args.sides:
        if kind == "mariadb" and not shutil.which("mariadbd"):
            print("mariadb is not measured: apt-get install mariadb-server", flush=True)
            continue
        results[kind] = measure_database(kind, args)
        print(*draw_database(kind, results[kind]), sep="\n", flush=True)
    if args.json:
        facts = describe_run("bench.sources")
        args.json.write_text(json.dumps(facts | {"databases": results}, indent=1) + "\n")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.sources")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(DATABASES))
    parser.add_argument("--sources", type=read_sources, default=list(SOURCES),
                        help=f"of {'; '.join(SOURCES)}, or how they begin")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="of each source, in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    if unknown := set(args.sides) - set(DATABASES):
        parser.error(f"no such side: {', '.join(unknown)}")
    return args


def read_sources(text: str) -> list[str]:
    """Those whose names begin so; at least one for each word."""
    chosen = []
    for word in text.split(","):
        found = [one for one in SOURCES if one.startswith(word)]
        if not found:
            raise argparse.ArgumentTypeError(f"no such source: {word}")
        chosen += found
    return chosen


def measure_database(kind: str, args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """The rounds of each source. Who begins changes from round to round."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
        bench = open_bench(kind, folder, stack.enter_context(run_vote_api()), args, stack)
        for source in args.sources:
            bench.measure(source, min(WARM_UP, args.seconds))
        taken: dict[str, list[dict[str, float]]] = {source: [] for source in args.sources}
        for number in range(args.rounds):
            first = number % len(args.sources)
            for source in [*args.sources[first:], *args.sources[:first]]:
                taken[source].append(bench.measure(source, args.seconds))
    return taken


def open_bench(
    kind: str, folder: Path, vote_api: VoteApi, args: argparse.Namespace, stack: ExitStack
) -> Bench:
    """With its Guerdon started and its players there; `stack` ends what was started."""
    url, process, port = f"sqlite:///{folder}/guerdon.db", None, find_free_port()
    if kind == "mariadb":
        (folder / "server").mkdir()
        server = MariaDBServer(folder / "server")
        stack.callback(server.stop)
        url, process = (
            server.url(server.create_database()),
            int((folder / "server/pid").read_text()),
        )
    side = Guerdon(kind, folder, url, vote_api.url, SECTIONS.format(port=port))
    stack.callback(side.stop)
    side.fill([f"player{number}" for number in range(PLAYERS)])
    side.start()
    return Bench(folder, side, port, process, args.connections)


def draw_database(kind: str, taken: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    rows = []
    for source, rounds in taken.items():
        speeds = [one["votes_per_second"] for one in rounds]
        span = f"{write_figure(min(speeds))} to {write_figure(max(speeds))}"
        figures = [
            write_figure(median(one[key] for one in rounds))
            for key in ("median_ms", "p99_ms", "cpu_us", "database_cpu_us")
        ]
        rows.append(draw_row([kind, source, write_figure(median(speeds)), span, *figures]))
    return rows


if __name__ == "__main__":
    main()
