"""What watching costs votes: with an open dashboard and a scrape of its metrics, and with nothing counted.

Three Guerdons take new votes in turn, by 32 connections: one counts and is left alone, one has a dashboard
with an open tab beside it and Prometheus at its door, and one counts nothing. `make bench-watched`.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

import requests

from app.testing.database_servers import MariaDBServer
from app.testing.ports import find_free_port
from bench.comparing import PLAYERS, SCENARIOS, Comparison, run_vote_api
from bench.guerdon import Guerdon
from bench.table import draw_row

DASHBOARD = """
[dashboard]
proxies = ["127.0.0.1"]
user_header = "Remote-User"
header_users = [{ name = "anna", role = "act" }]
"""
UNCOUNTED = "\n[metrics]\non = false\n"
TAB = ("/", "/plots", "/plots/votes.json")  # what one who looks has open
LOOK_EVERY = 3.0  # seconds, as the dashboard's pages ask again while somebody looks
KINDS = ("alone", "watched", "uncounted")


class Tab:
    """A dashboard of a Guerdon, and a browser that has it open while a round is measured."""

    def __init__(self, config: Path) -> None:
        self._url = f"http://127.0.0.1:{find_free_port()}"
        environment = {
            "GUERDON_CONFIG": str(config),
            "GUERDON_DASHBOARD_BIND": self._url.removeprefix("http://"),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.cli", "dashboard"], env=os.environ | environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.looks = 0

    def open(self) -> None:
        self._closed.clear()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._thread:
            self._thread.join()

    def end(self) -> None:
        self.close()
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait()

    def wait(self) -> None:
        """Until it shows its first page."""
        for _ in range(600):
            with suppress(requests.RequestException):
                if self._ask("/") == 200:
                    return
            threading.Event().wait(0.1)
        raise AssertionError("the dashboard does not answer")

    def _look(self) -> None:
        while not self._closed.is_set():
            for path in (*TAB, "/metrics"):
                status = self._ask(path)
                assert status in (200, 404), (path, status)
                self.looks += status == 200
            self._closed.wait(LOOK_EVERY)

    def _ask(self, path: str) -> int:
        headers = {"Remote-User": "anna"}
        return requests.get(self._url + path, headers=headers, timeout=20).status_code


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.watched")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=["sqlite", "mariadb"])
    parser.add_argument("--rounds", type=int, default=9, help="of each, in turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    args = parser.parse_args()
    print(draw_row(["database", "Guerdon", "votes/s", "CPU us/vote", "times alone", "CPU, times"]))
    print("|---" * 6 + "|", flush=True)
    for name in args.sides:
        with ExitStack() as stack:
            tell(name, measure_database(stack, name, args.rounds, args.seconds))


def measure_database(
    stack: ExitStack, kind: str, rounds: int, seconds: float
) -> dict[str, list[dict[str, float]]]:
    """The rounds of each; who begins changes from round to round."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
    vote_api = stack.enter_context(run_vote_api())
    server = MariaDBServer(make_folder(folder / "server")) if kind == "mariadb" else None
    if server:
        stack.callback(server.stop)
    pid = int((folder / "server/pid").read_text()) if server else None
    comparison = Comparison(folder, vote_api, pid, seconds)
    sides = [make_side(name, make_folder(folder / name), server, vote_api.url) for name in KINDS]
    for side in sides:
        stack.callback(side.stop)
        side.fill([f"player{n}" for n in range(PLAYERS)])
        side.start()
        comparison.warm_up(side)
    tab = Tab(sides[1].config)
    stack.callback(tab.end)
    tab.wait()
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in KINDS}
    for number in range(rounds):
        turn = number % len(sides)
        for side in [*sides[turn:], *sides[:turn]]:
            if side.name == "watched":
                tab.open()
            taken[side.name].append(comparison.measure(side, SCENARIOS[0]))
            tab.close()
    assert tab.looks, "nobody looked"
    return taken


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def make_side(name: str, folder: Path, server: MariaDBServer | None, api_url: str) -> Guerdon:
    url = server.url(server.create_database()) if server else f"sqlite:///{folder}/guerdon.db"
    more = {"watched": DASHBOARD, "uncounted": UNCOUNTED}.get(name, "")
    return Guerdon(name, folder, url, api_url, more)


def tell(kind: str, taken: dict[str, list[dict[str, float]]]) -> None:
    """Medians, and how many times what the one that was left alone has, by round."""
    for name, rounds in taken.items():
        figures: list[Any] = [kind, name]
        figures += [
            f"{median(one[key] for one in rounds):.0f}" for key in ("votes_per_second", "cpu_us")
        ]
        for key in ("votes_per_second", "cpu_us"):
            pairs = zip(rounds, taken["alone"], strict=True)
            times = [one[key] / other[key] for one, other in pairs]
            figures.append(f"{median(times):.3f} ({min(times):.2f} to {max(times):.2f})")
        print(draw_row(figures), flush=True)


if __name__ == "__main__":
    main()
