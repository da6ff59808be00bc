"""A bulk retry is killed at each of its points, again and again, while another host is at it too."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Attempt, Waiting
from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.history.filters import EventFilter
from app.history.states import EventState
from app.testing.waiting import wait_until
from tests.world.piles import pile_events
from tests.world.servers import ROOT

ACT_POINTS = tuple(point for point in POINTS if point.startswith("act: "))
KILLS = 3  # of each point
COUNTED = 4_000
LEASE = 400  # ms


class Hosts:
    """Processes that go on with acts, always two: one that is killed is started again."""

    def __init__(self, config: Path, points: Path) -> None:
        self.kills = 0
        self._config, self._points = config, points
        self._processes = [self._start(), self._start()]

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.world.acting_alone", str(self._config), str(LEASE)],
            cwd=ROOT, env=os.environ | {VARIABLE: str(self._points)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def look_after(self) -> bool:
        """Start those again that were killed; whether all have ended by themselves."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None and process.returncode < 0:
                self.kills += 1
                self._processes[place] = self._start()
        return all(process.poll() == 0 for process in self._processes)

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def points(tmp_path: Path) -> Path:
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


@pytest.fixture
def hosts(guerdon: Guerdon, points: Path) -> Iterator[list[Hosts]]:
    started: list[Hosts] = []
    yield started
    for one in started:
        one.close()


def count_tries(guerdon: Guerdon) -> "Counter[str]":
    with guerdon.database.connection_context():
        rows: Any = Attempt.select(Attempt.ordered_key).where(Attempt.what == "retry by hand")
        return Counter(bytes(key).rstrip(b"\0").decode() for (key,) in rows.tuples())


def test_it_works(guerdon: Guerdon, points: Path, hosts: list[Hosts]) -> None:
    pile_events(guerdon, COUNTED)
    acts = guerdon.acts
    act = acts.start(acts.plan_act(EventFilter(EventState.DEAD), "alice").id)
    ended, late = threading.Event(), []

    def die() -> None:
        while not ended.wait(0.05):
            pile_events(guerdon, 10, f"late{len(late)}-")
            late.append(10)

    dying = threading.Thread(target=die)
    dying.start()
    hosts.append(Hosts(guerdon.config.path, points))
    try:
        for number in range(1, KILLS * len(ACT_POINTS) + 1):
            (points / ACT_POINTS[number % len(ACT_POINTS)]).touch()
            wait_until(lambda n=number: hosts[0].look_after() or hosts[0].kills >= n, pause=0.02)
        wait_until(hosts[0].look_after, pause=0.02)
    finally:
        ended.set()
        dying.join()

    found = acts.find(act.id)
    assert found is not None
    assert (found.state, found.done, found.error) == ("done", COUNTED, "")
    assert hosts[0].kills == KILLS * len(ACT_POINTS)
    tries = count_tries(guerdon)
    assert set(tries) == {f"d{number}" for number in range(COUNTED)}
    assert set(tries.values()) == {1}
    with guerdon.database.connection_context():
        assert Waiting.select().where(Waiting.state == "dead").count() == sum(late)
    assert late
