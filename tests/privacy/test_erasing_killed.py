"""Killed at each point of an erasure, and run again: it ends the same. Two at once: it ends the same too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from tests.privacy.conftest import ALIKE, NAME, Scene, read_scene
from tests.world.servers import ROOT
from tests.world.traces import list_traces

ERASING_POINTS = tuple(point for point in POINTS if point.startswith("erasing: "))
LATER = 6  # commits that are passed by before the kill


def start(guerdon: Guerdon, points: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "app.cli", "players", "erase", NAME, "--yes", "--by", "tester"]
    env = os.environ | {VARIABLE: str(points), "GUERDON_CONFIG": str(guerdon.config.path)}
    return subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def check(guerdon: Guerdon, before: Scene) -> None:
    assert list_traces(guerdon, NAME, ALIKE) == []
    assert read_scene(guerdon) == before
    assert guerdon.bookkeeping.recounter.verify() == []
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql(
            "SELECT pseudonym, ended_at FROM guerdon_erasures"
        ).fetchall()
        names = guerdon.database.execute_sql(
            "SELECT DISTINCT nickname FROM guerdon_grants"
        ).fetchall()
    assert len(rows) == 1
    assert rows[0][1] is not None
    assert [one for (one,) in names if one.startswith("gone-")] == [rows[0][0]]


@pytest.fixture
def points(tmp_path: Path) -> Path:
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


def test_it_works(full: Guerdon, points: Path) -> None:
    before = read_scene(full)
    full.database.close_all()

    code, said = finish(start(full, points))

    assert code == 0, said
    assert "the pseudonym is gone-" in said
    check(full, before)


@pytest.mark.parametrize("point", ERASING_POINTS)
def test_a_kill_changes_nothing_of_the_end(full: Guerdon, points: Path, point: str) -> None:
    """Killed at its first commit, then at the next, and so on, until it comes through."""
    before = read_scene(full)
    full.database.close_all()
    kills = 0
    for _ in range(30):
        (points / point).touch()
        code, said = finish(start(full, points))
        if code == 0:
            break
        kills += 1
        assert code == -9, said
        if kills == 3:
            (points / point).unlink(missing_ok=True)
            code, said = finish(start(full, points))
            assert code == 0, said
            break
    assert kills == 3
    check(full, before)


def test_two_at_once(full: Guerdon, points: Path) -> None:
    before = read_scene(full)
    full.database.close_all()
    both = [start(full, points) for _ in range(2)]

    ends = [finish(one) for one in both]

    if not any(code == 0 for code, _ in ends):
        assert all("somebody else" in said for _, said in ends), ends
    code, said = finish(start(full, points))
    assert code == 0 or "nothing is kept" in said, said
    check(full, before)
