"""`make bench-uneven`: what one vote in forty costs that cannot be paid, and what two hosts cost beside one.

Each pair is pressed in turn with new votes alone, and what is compared is votes paid a second.
`empty pool`: every 40th vote is for a server whose rule gives a code of an empty pool, and is kept; 64
connections; beside a Guerdon that gets none of those. `two hosts`: two Guerdons with one worker each on one
MariaDB, beside one with two workers on another database of it; 32 connections.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from app.testing.database_servers import MariaDBServer
from app.testing.gunicorn import Gunicorn
from bench.comparing import MOST, PLAYERS, VoteApi, run_vote_api
from bench.guerdon import REWARDS, Guerdon
from bench.load import make_ids, read_cpu, run_wrk, wait_for_rest, write_bodies
from bench.machine import describe_run
from bench.table import draw_row
from bench.vote_api import OF_EMPTY_POOL

IN_FORTY = 40
EMPTY_POOL = "[plugins.promo_codes]\n"
CODES = """
[[rules]]
name = "a code"
on = "server.vote"
server = "2"
give = [{ reward = "promo_code", pool = "empty" }]
"""
PAIRS = {"mariadb": ("empty pool", "two hosts"), "sqlite": ("empty pool",)}
WARM_UP = 3.0  # seconds


class Arm:
    """A Guerdon on its database, by one host or two."""

    def __init__(self, side: Guerdon, share: int, hosts: Sequence[Gunicorn]) -> None:
        """One in `share` of its votes cannot be paid; 0: none."""
        self.side, self.share, self.hosts = side, share, hosts
        self.rounds: list[dict[str, float]] = []

    def list_processes(self) -> list[int]:
        return [pid for host in self.hosts for pid in list_family_of(host)]


def list_family_of(host: Gunicorn) -> list[int]:
    assert host.process is not None
    return [host.process.pid, *host.list_workers()]


class Bench:
    """Presses the arms of a pair."""

    def __init__(self, folder: Path, database: int | None, connections: int) -> None:
        self._folder, self._connections = folder, connections
        self._database = [database] if database else []

    def measure(self, arm: Arm, seconds: float) -> dict[str, float]:
        """Votes that were paid a second, and their CPU, in one round."""
        before, _ = arm.side.count_paid()
        began = read_cpu(arm.list_processes())
        with ThreadPoolExecutor(len(arm.hosts)) as pool:
            pressing = [
                pool.submit(self._press, arm, number, host, seconds)
                for number, host in enumerate(arm.hosts)
            ]
            results = [one.result() for one in pressing]
        wait_for_rest([*arm.list_processes(), *self._database])
        votes, gold = arm.side.count_paid()
        assert votes == gold, f"{arm.side.name}: {votes} votes are settled, {gold} gold is paid"
        answered = sum(one["requests"] - one["not_2xx"] for one in results)
        paid = votes - before
        assert answered <= paid + self._connections, (
            f"{arm.side.name}: {answered} answered, {paid} paid"
        )
        used = read_cpu(arm.list_processes()) - began
        figures = {"votes_per_second": paid / results[0]["seconds"], "cpu_us": 1e6 * used / paid}
        return figures | {"p99_ms": max(one["p99_ms"] for one in results)}

    def _press(self, arm: Arm, number: int, host: Gunicorn, seconds: float) -> dict[str, Any]:
        ids = make_ids(int(MOST * seconds))
        if arm.share:
            ids = [
                f"{id[:-8]}{OF_EMPTY_POOL}" if at % arm.share == 0 else id
                for at, id in enumerate(ids)
            ]
        bodies = write_bodies(self._folder / f"bodies-{number}", ids)
        result = run_wrk(host.url, bodies, self._connections // len(arm.hosts), seconds)
        assert not result["broken"], arm.side.read_logs()
        most = result["requests"] // arm.share + 64 if arm.share else 0
        assert result["not_2xx"] <= most, arm.side.read_logs()
        return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.uneven")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(PAIRS))
    parser.add_argument("--rounds", type=int, default=6, help="of each, in turn")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    print(draw_row(["database", "pair", "votes/s", "CPU us/vote", "times (by round)"]))
    print("|---" * 5 + "|", flush=True)
    results = {
        f"{kind}, {pair}": measure_pair(kind, pair, args.rounds, args.seconds)
        for kind in args.sides
        for pair in PAIRS[kind]
    }
    if args.json:
        args.json.write_text(
            json.dumps(describe_run("bench.uneven") | {"pairs": results}, indent=1) + "\n"
        )


def measure_pair(kind: str, pair: str, rounds: int, seconds: float) -> Mapping[str, Any]:
    """The rounds of both arms; who begins changes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-uneven-")))
        vote_api = stack.enter_context(run_vote_api())
        server = MariaDBServer(make_folder(folder / "server")) if kind == "mariadb" else None
        if server:
            stack.callback(server.stop)
        bench = Bench(
            folder,
            int((folder / "server/pid").read_text()) if server else None,
            64 if pair == "empty pool" else 32,
        )
        arms = [make_arm(stack, pair, is_odd, folder, server, vote_api) for is_odd in (False, True)]
        for arm in arms:
            bench.measure(arm, WARM_UP)
        for number in range(rounds):
            for arm in arms if number % 2 == 0 else arms[::-1]:
                arm.rounds.append(bench.measure(arm, seconds))
    return tell(kind, pair, arms)


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def make_arm(
    stack: ExitStack,
    pair: str,
    is_odd: bool,
    folder: Path,
    server: MariaDBServer | None,
    vote_api: VoteApi,
) -> Arm:
    """The usual one, or the one with what costs something."""
    own = make_folder(folder / ("odd" if is_odd else "usual"))
    url = server.url(server.create_database()) if server else f"sqlite:///{own}/guerdon.db"
    side = Guerdon(own.name, own, url, vote_api.url, EMPTY_POOL, REWARDS + CODES)
    stack.callback(side.look_away)
    side.fill([f"player{n}" for n in range(PLAYERS)])
    hosts = [side.server]
    if pair == "two hosts" and is_odd:
        hosts = [Gunicorn(side.config, 1), Gunicorn(side.config, 1)]
    for host in hosts:
        host.start()
        stack.callback(host.stop)
    return Arm(side, IN_FORTY if pair == "empty pool" and is_odd else 0, hosts)


def tell(kind: str, pair: str, arms: Sequence[Arm]) -> Mapping[str, Any]:
    usual, odd = arms
    times = [
        one["votes_per_second"] / other["votes_per_second"]
        for one, other in zip(odd.rounds, usual.rounds, strict=True)
    ]
    for arm in arms:
        figures = [median(one[key] for one in arm.rounds) for key in ("votes_per_second", "cpu_us")]
        told = f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f})" if arm is odd else ""
        name = pair if arm is odd else f"without {pair}" if pair == "empty pool" else "one host"
        print(draw_row([kind, name, *(f"{one:.0f}" for one in figures), told]), flush=True)
    return {"times": median(times), "by_round": times, "usual": usual.rounds, "odd": odd.rounds}


if __name__ == "__main__":
    main()
