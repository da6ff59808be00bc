"""`make bench`: votes a second, CPU a vote and memory a worker, on SQLite and on MariaDB.

Everything runs on this machine: the vote API (answering at once), the database with durable
commits, gunicorn and wrk. What is missing is named and left out.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from app.guerdon import open_guerdon
from app.models import Event, OwnPlayer
from tests.sending import TOKEN, make_delivery
from tests.servers import Gunicorn, MariaDBServer

HERE = Path(__file__).parent
PLAYERS = 5000
TICKS = os.sysconf("SC_CLK_TCK")
CONFIG = """
[database]
url = "{url}"
[api]
keys = ["bench-key"]
[plugins.gamemonitoring]
api_url = "http://127.0.0.1:{port}"
tokens = ["{token}"]
[plugins.gold]
"""
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
"""


@contextmanager
def run_vote_api() -> Iterator[int]:
    command = [sys.executable, "-m", "bench.vote_api", str(PLAYERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def prepare(folder: Path, url: str, port: int) -> Path:
    """A config, its tables and its players; the config's path."""
    config = folder / "guerdon.toml"
    config.write_text(CONFIG.format(url=url, port=port, token=TOKEN))
    (folder / "rewards.toml").write_text(REWARDS)
    guerdon = open_guerdon(config)
    guerdon.migrate()
    rows = [
        {"nickname": f"player{n}", "folded": f"player{n}", "gold": 0, "created_at": 0}
        for n in range(PLAYERS)
    ]
    with guerdon.database.connection_context():
        for start in range(0, PLAYERS, 500):
            OwnPlayer.insert_many(rows[start : start + 500]).execute()
    guerdon.close()
    return config


def write_bodies(folder: Path, name: str, count: int) -> Path:
    path = folder / f"{name}.jsonl"
    with path.open("wb") as file:
        file.writelines(make_delivery(f"{name}-{n}") + b"\n" for n in range(count))
    return path


def run_wrk(url: str, bodies: Path, connections: int, seconds: int) -> dict[str, Any]:
    threads = 1
    environment = os.environ | {"BENCH_BODIES": str(bodies), "BENCH_THREADS": str(threads)}
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
               "-s", str(HERE / "votes.lua"), url]  # fmt: skip
    output = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout
    result: dict[str, Any] = json.loads(output.partition("RESULT ")[2])
    return result


def read_cpu(pids: list[int]) -> float:
    """Seconds of CPU the processes have used."""
    used = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / TICKS
    return used


def read_memory(pid: int) -> float:
    """MB resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def count_events(config: Path) -> tuple[int, int]:
    """How many events are settled, and the sum of all gold."""
    guerdon = open_guerdon(config)
    with guerdon.database.connection_context():
        gold = sum(row[0] for row in OwnPlayer.select(OwnPlayer.gold).tuples())
        events = Event.select().count()
    guerdon.close()
    return events, int(gold)


def measure(folder: Path, url: str, args: argparse.Namespace) -> dict[str, Any]:
    """One database: warm up, then `rounds` rounds."""
    with run_vote_api() as port:
        config = prepare(folder, url, port)
        server = Gunicorn(config, workers=args.workers)
        server.start()
        try:
            run_wrk(server.url, write_bodies(folder, "warm", 20_000), args.connections, 2)
            rounds = []
            for number in range(args.rounds):
                rounds.append(measure_round(folder, server, number, args))
            memory = max(read_memory(pid) for pid in server.list_workers())
        finally:
            server.stop()
    events, gold = count_events(config)
    assert events == gold, f"{events} events are settled, but {gold} gold is paid"
    best = {
        key: round(median(one[key] for one in rounds), 2)
        for key in ("votes_per_second", "cpu_us_per_vote", "median_ms", "p99_ms")
    }
    return best | {"memory_mb_per_worker": round(memory, 1), "settled": events, "rounds": rounds}


def measure_round(
    folder: Path, server: Gunicorn, number: int, args: argparse.Namespace
) -> dict[str, Any]:
    bodies = write_bodies(folder, f"round{number}", args.seconds * 6000)
    workers = server.list_workers()
    cpu = read_cpu(workers)
    result = run_wrk(server.url, bodies, args.connections, args.seconds)
    cpu = read_cpu(workers) - cpu
    assert result["requests"] <= args.seconds * 6000, "the deliveries ran out: make more"
    assert result["not_2xx"] == result["broken"] == 0, result
    result["votes_per_second"] = result["requests"] / result["seconds"]
    result["cpu_us_per_vote"] = 1e6 * cpu / result["requests"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8, help="of one round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=["sqlite", "mariadb"])
    parser.add_argument("--json", type=Path, default=HERE / "latest.json")
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    results: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "workers": args.workers, "connections": args.connections,
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="guerdon-bench-") as name:
        if args.only != "mariadb":
            folder = Path(name) / "sqlite"
            folder.mkdir()
            results["sqlite"] = measure(folder, f"sqlite:///{folder}/guerdon.db", args)
        if args.only != "sqlite":
            if shutil.which("mariadbd"):
                folder = Path(name) / "mariadb"
                folder.mkdir()
                mariadb = MariaDBServer(folder)
                results["mariadb"] = measure(folder, mariadb.url(mariadb.create_database()), args)
                mariadb.stop()
            else:
                print("MariaDB is not installed and not measured: apt-get install mariadb-server")
    args.json.write_text(json.dumps(results, indent=1) + "\n")
    print_table(results)


def print_table(results: dict[str, Any]) -> None:
    print(
        f"{results['machine']}, {results['workers']} workers, {results['connections']} connections"
    )
    print("| database | votes/s | CPU us/vote | median ms | p99 ms | MB/worker |")
    print("|---|---|---|---|---|---|")
    for name in ("sqlite", "mariadb"):
        if name in results:
            one = results[name]
            print(
                f"| {name} | {one['votes_per_second']:.0f} | {one['cpu_us_per_vote']:.0f}"
                f" | {one['median_ms']} | {one['p99_ms']} | {one['memory_mb_per_worker']} |"
            )


main()
