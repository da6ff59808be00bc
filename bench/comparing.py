"""The comparison: all sides on one machine in turn, round after round, and checked that each paid."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.load import make_ids, read_cpu, read_memory, run_wrk, wait_for_rest, write_bodies

PLAYERS = 5000
PAID = 1000  # votes that are paid before the first round, to be delivered again
WARM_UPS = 5  # of 3 s, at most
MOST = 12_000  # votes a second that bodies are made for


class Side(Protocol):
    """What is measured: Guerdon on a database, or PHP."""

    name: str
    url: str

    def fill(self, players: list[str]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def read_logs(self) -> str: ...
    def list_processes(self) -> list[int]: ...
    def list_workers(self) -> list[int]: ...
    def count_paid(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """`delay` is the vote API's, in seconds; `is_new`: each vote is delivered once."""

    name: str
    connections: int
    delay: float = 0.0
    is_new: bool = True


SCENARIOS = (
    Scenario("at-once-32", 32),
    Scenario("at-once-128", 128),
    Scenario("50ms-128", 128, delay=0.05),
    Scenario("redelivered-32", 32, is_new=False),
)


class VoteApi:
    """The stand-in's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}"

    def set_delay(self, seconds: float) -> None:
        urllib.request.urlopen(f"{self.url}/delay/{seconds}", timeout=10).close()


@contextmanager
def run_vote_api() -> Iterator[VoteApi]:
    command = [sys.executable, "-m", "bench.vote_api", str(PLAYERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield VoteApi(process)
        finally:
            process.kill()


class Comparison:
    """Measures sides that are up; each is warm, and has paid PAID votes, before its first round."""

    def __init__(
        self, folder: Path, vote_api: VoteApi, database: int | None, seconds: float
    ) -> None:
        """`database` is MariaDB's process id; `seconds` are those of one round."""
        self._folder = folder
        self._vote_api = vote_api
        self._database = [database] if database else []
        self._seconds = seconds
        self._paid = write_bodies(folder / "paid", make_ids(PAID))

    def warm_up(self, side: Side) -> None:
        self._vote_api.set_delay(0.0)
        before, _ = side.count_paid()
        for _ in range(WARM_UPS):
            self._press(side, self._paid, 32, 3)
            if side.count_paid() == (before + PAID, before + PAID):
                return
        raise AssertionError(f"{side.name} is too slow, or pays twice: {side.count_paid()}")

    def press_new(self, side: Side, connections: int, seconds: float) -> None:
        """Deliver new votes for so long, at most MOST a second."""
        self._press(side, self._write_new(int(MOST * seconds)), connections, seconds)

    def _write_new(self, count: int) -> Path:
        return write_bodies(self._folder / "new", make_ids(count))

    def _press(self, side: Side, bodies: Path, connections: int, seconds: float) -> dict[str, Any]:
        """wrk's figures, once the side is at rest again; every answer was a 2xx."""
        result = run_wrk(side.url, bodies, connections, seconds)
        wait_for_rest([*side.list_processes(), *self._database])
        problems = result.pop("not_2xx"), result.pop("broken")
        assert problems == (0, 0), f"{side.name}: {problems} not 2xx, broken\n{side.read_logs()}"
        return result

    def measure(self, side: Side, scenario: Scenario) -> dict[str, float]:
        """One round of one side."""
        self._vote_api.set_delay(scenario.delay)
        made = int(MOST * self._seconds)
        bodies = self._write_new(made) if scenario.is_new else self._paid
        before, _ = side.count_paid()
        groups = side.list_processes(), self._database, [self._vote_api.pid]
        began = [read_cpu(pids) for pids in groups]
        result = self._press(side, bodies, scenario.connections, self._seconds)
        used = [read_cpu(pids) - cpu for pids, cpu in zip(groups, began, strict=True)]
        requests = result["requests"]
        assert not scenario.is_new or requests < made, "the deliveries ran out: raise MOST"
        check_paid(side, before, requests if scenario.is_new else 0, scenario)
        cpu, database_cpu, vote_api_cpu = (round(1e6 * one / requests) for one in used)
        return result | {
            "votes_per_second": round(requests / result["seconds"], 1),
            "cpu_us": cpu, "database_cpu_us": database_cpu, "vote_api_cpu_us": vote_api_cpu,
            "memory_mb": round(max(map(read_memory, side.list_workers())), 1),
        }  # fmt: skip


def check_paid(side: Side, before: int, answered: int, scenario: Scenario) -> None:
    """Every new vote that was answered is paid, once; those that wrk left unanswered may be."""
    events, gold = side.count_paid()
    in_hand = scenario.connections if scenario.is_new else 0
    paid = events - before
    assert events == gold, f"{side.name}: {events} events are stored, but {gold} is paid"
    assert answered <= paid <= answered + in_hand, f"{side.name}: {answered} answered, {paid} paid"


def compare(
    comparison: Comparison, sides: Sequence[Side], scenarios: Sequence[Scenario], rounds: int
) -> Iterator[tuple[str, dict[str, list[dict[str, float]]]]]:
    """Each scenario's rounds by side. Who begins changes from round to round."""
    for scenario in scenarios:
        taken: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
        for number in range(rounds):
            first = number % len(sides)
            for side in [*sides[first:], *sides[:first]]:
                taken[side.name].append(comparison.measure(side, scenario))
        yield scenario.name, taken
