"""Processes that deliver claims are killed at each of their points, and the game cuts them off at random:
a command is given once, or it is unknown and says so; never twice, unless the studio wants that.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Claim
from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.paying.claims import queue_claims
from app.porch.types import Event, Player
from app.testing.waiting import wait_until
from tests.world import rcon_server
from tests.world.rcon_server import PASSWORD, RconServer
from tests.world.servers import ROOT

CONSOLE_POINTS = tuple(point for point in POINTS if point.startswith("console: "))
LATE = "console: late ones unknown, before COMMIT"
CUT_OFF = "console: answered, not noted"
KILLS = int(os.environ.get("GUERDON_KILLS") or 2)  # of each point
LEASE = 700  # ms
OVER = ("done", "unknown", "refused")
SECTION = """
[plugins.rcon.servers.survival]
address = "{address}"
password = "{password}"
servers = ["1"]
game = "minecraft"
connections = {connections}
timeout = 0.3
if_unknown = "{if_unknown}"
"""


class Hosts:
    """Two processes: one that is killed is started again."""

    def __init__(self, config: Path, points: Path) -> None:
        self.kills = 0
        self._config, self._points = config, points
        self._processes = [self._start(), self._start()]

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.world.delivering_alone", str(self._config), str(LEASE)],
            cwd=ROOT, env=os.environ | {VARIABLE: str(self._points)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def look_after(self) -> int:
        """Start those again that were killed; how many that were so far."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                assert process.returncode == -9
                self.kills += 1
                self._processes[place] = self._start()
        return self.kills

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def server() -> Iterator[RconServer]:
    server = RconServer()
    yield server
    server.close()


class Stage:
    """A service, its game, and the hosts that deliver to it."""

    def __init__(self, guerdon: Guerdon, server: RconServer, points: Path) -> None:
        self.guerdon, self.server, self._points = guerdon, server, points
        self.hosts = Hosts(guerdon.config.path, points)
        self._number = 0

    def queue(self, count: int) -> None:
        """Claims, each with a command of its own."""
        claims = []
        for _ in range(count):
            self._number += 1
            event = Event("gamemonitoring", "server.vote", f"v{self._number}", "1", "Bob")
            claims.append((event, Player(1, "Bob"), {"command": f"give Bob c{self._number} 1"}))
        now = self.guerdon.now()
        self.guerdon.database.transact(lambda is_retry: queue_claims(claims, now))

    def arm(self, *points: str) -> None:
        for point in points:
            (self._points / point).touch()

    def read(self) -> list[Any]:
        with self.guerdon.database.connection_context():
            return list(Claim.select().order_by(Claim.id))

    def is_over(self) -> bool:
        self.hosts.look_after()
        return all(row.state in OVER for row in self.read())


@pytest.fixture
def open_stage(
    open_service: Callable[..., Guerdon], server: RconServer, tmp_path: Path
) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []
    points = tmp_path / "points"
    points.mkdir()

    def open_one(connections: int, if_unknown: str = "ask") -> Stage:
        said = SECTION.replace("{address}", server.address).replace("{password}", PASSWORD)
        said = said.replace("{connections}", str(connections)).replace("{if_unknown}", if_unknown)
        guerdon = open_service(more=said)
        guerdon.now = lambda: 10**9  # type: ignore[assignment]  # long ago: hosts go by real clocks
        stages.append(Stage(guerdon, server, points))
        return stages[-1]

    yield open_one
    for stage in stages:
        stage.hosts.close()


def judge(stage: Stage) -> "Counter[str]":
    """Each command was given once, or its claim is unknown; how many of each state."""
    given = stage.server.given
    for row in stage.read():
        count = sum(number for one, number in given.items() if f'"{one}"' in row.payload)
        assert count <= 1, f"claim {row.id} was given {count} times"
        assert row.state in ("done", "unknown")
        assert (row.state == "done") <= (count == 1), f"claim {row.id} is done, and was not given"
        assert (row.state == "unknown") <= bool(row.last_error)
    return Counter(row.state for row in stage.read())


def test_it_works(open_stage: Callable[..., Stage]) -> None:
    stage = open_stage(connections=2)
    for turn in range(KILLS * len(CONSOLE_POINTS)):
        point = CONSOLE_POINTS[turn % len(CONSOLE_POINTS)]
        wanted = stage.hosts.kills + (2 if point == LATE else 1)
        stage.arm(point, *([CUT_OFF] if point == LATE else []))
        stage.queue(5)
        wait_until(lambda w=wanted: stage.hosts.look_after() >= w, pause=0.02)
    stage.queue(5)
    wait_until(stage.is_over, pause=0.05)

    states = judge(stage)
    # Of each kill those were cut off that were being sent: one for each connection, and no more.
    assert 1 <= states["unknown"] <= 2 * stage.hosts.kills
    assert states["done"] >= 5 * (KILLS * len(CONSOLE_POINTS) + 1) - states["unknown"]


@pytest.mark.parametrize("if_unknown", ["ask", "again"])
def test_a_game_that_cuts_off_at_random(
    open_stage: Callable[..., Stage], server: RconServer, if_unknown: str
) -> None:
    chance = random.Random(7)

    def cut_at_random(client: Any, id: int, command: str) -> None:
        odds = chance.random()
        if command == "list" or odds > 0.2:
            rcon_server.answer(client, id, command)
        elif odds > 0.1:
            rcon_server.hang_up_after(client, id, command)
        else:
            rcon_server.hang_up_before(client, id, command)

    server.behave = cut_at_random
    stage = open_stage(3, if_unknown)
    stage.queue(150)
    if if_unknown == "again":
        wait_until(lambda: stage.is_over() and all(r.state == "done" for r in stage.read()))
        assert len(server.given) == 150
        assert server.given.total() > 150  # that is what it costs
    else:
        wait_until(stage.is_over)
        states = judge(stage)
        assert states["unknown"] >= 10
        assert states["done"] >= 80
