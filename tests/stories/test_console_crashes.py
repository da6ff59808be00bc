"""Processes that deliver claims are killed at each of their points, and the game cuts them off at random:
a command is given once, or it is unknown and says so; never twice, unless the studio wants that.
"""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.database.models import Claim
from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.paying.claims import queue_claims
from app.porch.types import Event, Player
from app.testing.waiting import wait_until
from tests.world import panel, rcon_server, rust_server
from tests.world.panel import Panel
from tests.world.rcon_server import RconServer
from tests.world.rust_server import RustServer
from tests.world.servers import ROOT

CONSOLE_POINTS = tuple(point for point in POINTS if point.startswith("console: "))
LATE = "console: late ones unknown, before COMMIT"
CUT_OFF = "console: answered, not noted"
ASKED = "network: asked, answer unread"
# Where the kinds of databases may differ: around the commit before the first byte, and what finds it again.
COMMITTING = ("console: sending, before COMMIT", "console: sending, after COMMIT", CUT_OFF, LATE)
KILLS = int(os.environ.get("GUERDON_KILLS") or 1)  # of each point
LEASE = 700  # ms
OVER = ("done", "unknown", "refused")


@dataclass(frozen=True)
class Game:
    """A stand-in, its console's section and command, and what it can do instead of answering."""

    open_server: Callable[[], Any]
    behaviours: ModuleType
    command: str  # what is given; # is its number
    section: str  # what is between # is the server's, or stands beside its behaviours
    question: str = ""  # that it always answers: who is there


RCON = """
[plugins.rcon.servers.a]
address = "127.0.0.1:#port#"
password = "#PASSWORD#"
game = "minecraft"
"""
WEBRCON = """
[plugins.webrcon.servers.a]
address = "ws://127.0.0.1:#port#"
password = "#PASSWORD#"
done = ["^giving "]
"""
PTERODACTYL = """
[plugins.pterodactyl.servers.a]
panel = "#url#"
key = "#KEY#"
server = "#SERVER#"
taken_is = "done"
names = "Bob"
"""
GAMES = {
    "rcon": Game(RconServer, rcon_server, "give Bob c# 1", RCON, "list"),
    "webrcon": Game(RustServer, rust_server, "inventory.giveto Bob c# 1", WEBRCON, "playerlist"),
    "pterodactyl": Game(Panel, panel, "give Bob c# 1", PTERODACTYL),
}
SECTION = """
servers = ["1"]
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


class Stage:
    """A service, its game, and the hosts that deliver to it."""

    def __init__(self, guerdon: Guerdon, game: Game, server: Any, points: Path) -> None:
        self.guerdon, self.server, self._game, self._points = guerdon, server, game, points
        self.hosts = Hosts(guerdon.config.path, points)
        self._number = 0

    def queue(self, count: int) -> None:
        """Claims, each with a command of its own."""
        claims = []
        for _ in range(count):
            self._number += 1
            event = Event("gamemonitoring", "server.vote", f"v{self._number}", "1", "Bob")
            payload = {"command": self._game.command.replace("#", str(self._number))}
            claims.append((event, Player(1, "Bob"), payload))
        now = self.guerdon.now()
        self.guerdon.database.transact(lambda is_retry: queue_claims(claims, now))

    def arm(self, *points: str) -> None:
        """Kill at these; at ASKED once a panel was asked whether its server runs, so at the command."""
        for point in points:
            if point == ASKED:
                self.server.when_asked = (self._points / point).touch
            else:
                (self._points / point).touch()

    def read(self) -> list[Any]:
        with self.guerdon.database.connection_context():
            return list(Claim.select().order_by(Claim.id))

    def is_over(self) -> bool:
        self.hosts.look_after()
        return all(row.state in OVER for row in self.read())


@pytest.fixture
def open_stage(
    open_service: Callable[..., Guerdon], tmp_path: Path
) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []
    points = tmp_path / "points"
    points.mkdir()

    def open_one(name: str, connections: int, if_unknown: str = "ask") -> Stage:
        game = GAMES[name]
        server = game.open_server()
        known = vars(game.behaviours) | vars(server)
        said = re.sub("#([A-Za-z]+)#", lambda found: str(known[found[1]]), game.section)
        said += SECTION.format(connections=connections, if_unknown=if_unknown)
        guerdon = open_service(more=said)
        guerdon.now = lambda: 10**9  # type: ignore[assignment]  # long ago: hosts go by real clocks
        stages.append(Stage(guerdon, game, server, points))
        return stages[-1]

    yield open_one
    for stage in stages:
        stage.hosts.close()
        stage.server.close()


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


@pytest.mark.parametrize(
    ("game", "points", "database_url"),
    [
        ("rcon", CONSOLE_POINTS, "sqlite"), ("rcon", COMMITTING, "mariadb"), ("rcon", COMMITTING, "mysql"),
        ("webrcon", CONSOLE_POINTS, "sqlite"), ("pterodactyl", (*CONSOLE_POINTS, ASKED), "sqlite"),
    ],
    ids=["rcon", "rcon-mariadb", "rcon-mysql", "webrcon", "pterodactyl"],
    indirect=["database_url"],
)  # fmt: skip
def test_it_works(open_stage: Callable[..., Stage], game: str, points: tuple[str, ...]) -> None:
    stage = open_stage(game, connections=2)
    for turn in range(KILLS * len(points)):
        point = points[turn % len(points)]
        wanted = stage.hosts.kills + (2 if point == LATE else 1)
        stage.arm(point, *([CUT_OFF] if point == LATE else []))
        stage.queue(5)
        wait_until(lambda w=wanted: stage.hosts.look_after() >= w, pause=0.02)
    stage.queue(5)
    wait_until(stage.is_over, pause=0.05)

    states = judge(stage)
    # Of each kill those were cut off that were being sent: one for each connection, and no more.
    assert 1 <= states["unknown"] <= 2 * stage.hosts.kills
    assert states["done"] >= 5 * (KILLS * len(points) + 1) - states["unknown"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("if_unknown", ["ask", "again"])
@pytest.mark.parametrize("name", GAMES)
def test_a_game_that_cuts_off_and_restarts_at_random(
    open_stage: Callable[..., Stage], name: str, if_unknown: str
) -> None:
    chance, game = random.Random(7), GAMES[name]

    def cut_at_random(who: Any, number: int, command: str) -> None:
        odds = chance.random()
        if odds > 0.98 and name != "pterodactyl":
            stage.server.hang_up_on_all()  # as where it restarts, whatever others are at
        cut = game.behaviours.hang_up_after if odds > 0.1 else game.behaviours.hang_up_before
        is_cut = command != game.question and odds <= 0.2
        (cut if is_cut else game.behaviours.answer)(who, number, command)

    stage = open_stage(name, 3, if_unknown)
    stage.server.behave = cut_at_random
    stage.queue(150)
    if if_unknown == "again":
        wait_until(lambda: stage.is_over() and all(r.state == "done" for r in stage.read()))
        assert len(stage.server.given) == 150
        assert stage.server.given.total() > 150  # that is what it costs
    else:
        wait_until(stage.is_over)
        states = judge(stage)
        assert states["unknown"] >= 10
        assert states["done"] >= 80
