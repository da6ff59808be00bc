"""`python -m bench.reports`: reports a second from a backlog, and how soon a game server is answered.

Everything runs on this machine: the platform (answering at once, and after 100 ms), the database with
durable commits, and gunicorn. What is missing is named and left out.
"""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from app.testing.database_servers import MariaDBServer
from app.testing.gunicorn import Gunicorn
from app.testing.waiting import wait_until

HERE = Path(__file__).parent
DELAYS = (0.0, 0.1)  # seconds until the platform answers
CONFIG = """
[database]
url = "{url}"
[api]
keys = ["bench-key-of-sixteen"]
[plugins.g123]
host = "http://127.0.0.1:{port}"
app_id = "bench"
app_secret = "bench-secret"
"""


@contextmanager
def run_platform(delay: float) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.platform", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def make_body(number: int) -> dict[str, Any]:
    return {
        "uid": f"player{number}", "server_id": "s73", "ctwid": "GIL6T4C0",
        "timestamp": 1605076260715, "level": 10,
        "data": {
            "game_user_id": "1234567", "role": {"id": "3444382", "exp": "1"},
            "custom": {"physical_server": "game.example|127.0.0.1"},
        },
    }  # fmt: skip


def fill(guerdon: Guerdon, count: int, first: int = 0) -> None:
    """Queue a backlog of `count` reports, each in its event's commit; `first` is its first player."""
    bodies = map(make_body, range(first, first + count))
    works = [Work(list_game_events("level_up", body)) for body in bodies]
    for start in range(0, count, 64):
        outcomes = guerdon.settler.settle(works[start : start + 64])
        assert {one.state for one in outcomes} == {"settled"}, outcomes


def measure_backlog(folder: Path, url: str, delay: float, args: argparse.Namespace) -> float:
    """Reports a second, from the first send to the last delivery."""
    with run_platform(delay) as port:
        config = write_config(folder, url, port)
        guerdon = open_guerdon(config)
        guerdon.migrate()
        fill(guerdon, args.backlog)
        server = Gunicorn(config, workers=args.workers)
        server.start()
        try:
            wait_until(lambda: ask(guerdon, COUNT_OPEN)[0] == 0, 600, 0.2)
        finally:
            server.stop()
        delivered, sends, took = ask(guerdon, TOTALS)
        assert delivered == sends == args.backlog, (delivered, sends)
        guerdon.close()
    return float(args.backlog / (took / 1000))


COUNT_OPEN = "SELECT COUNT(*) FROM guerdon_reports WHERE state <> 'delivered'"
TOTALS = (
    "SELECT (SELECT COUNT(*) FROM guerdon_reports WHERE state = 'delivered'), COUNT(*),"
    " MAX(ended_at) - MIN(begun_at) FROM guerdon_sends"
)


def ask(guerdon: Guerdon, sql: str) -> Any:
    with guerdon.database.connection_context():
        return guerdon.database.execute_sql(sql).fetchone()


def write_config(folder: Path, url: str, port: int) -> Path:
    config = folder / "guerdon.toml"
    config.write_text(CONFIG.format(url=url, port=port))
    (folder / "rewards.toml").write_text("")
    return config


def time_posts(port: int, path: str, count: int) -> dict[str, float]:
    """Median and 99th percentile (ms) of POSTs one after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": "Bearer bench-key-of-sixteen", "Content-Type": "application/json"}
    times = []
    for number in range(-50, count):  # the first ones warm up
        began = time.perf_counter()
        connection.request("POST", path, json.dumps(make_body(number + 1_000_000)), headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (answer.status, body)
        if number >= 0:
            times.append((time.perf_counter() - began) * 1000)
    connection.close()
    return {"median_ms": round(median(times), 2), "p99_ms": round(quantiles(times, n=100)[98], 2)}


def measure_answers(folder: Path, url: str, args: argparse.Namespace) -> dict[str, Any]:
    """How soon a game server has the platform's reply, beside the platform's own answer."""
    with run_platform(0.0) as port:
        config = write_config(folder, url, port)
        guerdon = open_guerdon(config)
        guerdon.migrate()
        guerdon.close()
        server = Gunicorn(config, workers=args.workers)
        server.start()
        try:
            ours = time_posts(server.port, "/v1/events/level_up", args.posts)
        finally:
            server.stop()
        return {"guerdon": ours, "platform": time_posts(port, "/", args.posts)}


def measure(new_folder: Any, new_url: Any, args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one database; each measurement on a fresh one."""
    results: dict[str, Any] = {}
    for delay in DELAYS:
        rates = []
        for _ in range(args.rounds):
            folder = new_folder()
            rates.append(round(measure_backlog(folder, new_url(folder), delay, args)))
        results[f"reports_per_second_at_{delay * 1000:.0f}_ms"] = {
            "median": median(rates), "rounds": rates,
        }  # fmt: skip
    folder = new_folder()
    results["answers"] = measure_answers(folder, new_url(folder), args)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.reports")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=["sqlite", "mariadb"])
    parser.add_argument("--json", type=Path, default=HERE / "reports.json")
    args = parser.parse_args()
    results: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "workers": args.workers}
    with tempfile.TemporaryDirectory(prefix="guerdon-bench-") as name:

        def new_folder() -> Path:
            return Path(tempfile.mkdtemp(dir=name))

        if args.only != "mariadb":
            results["sqlite"] = measure(new_folder, lambda f: f"sqlite:///{f}/guerdon.db", args)
        if args.only != "sqlite" and shutil.which("mariadbd"):
            server = MariaDBServer(new_folder())
            results["mariadb"] = measure(
                new_folder, lambda f: server.url(server.create_database()), args
            )
            server.stop()
        elif args.only != "sqlite":
            print("MariaDB is not installed and not measured: apt-get install mariadb-server")
    args.json.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
