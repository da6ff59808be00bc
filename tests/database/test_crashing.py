"""Crash points: named in one place, nothing at all until they are asked for, and then kill -9, once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import failpoints as crashing
from app.failpoints import POINTS, VARIABLE, list_crash_faults, pass_by
from tests.world.servers import ROOT

REACH = "from app.failpoints import reach; reach('settling: began'); print('went on')"


def run_python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        **options,
    )


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_python("-c", code, env={VARIABLE: str(folder)})


def test_it_works(tmp_path: Path) -> None:
    (tmp_path / "settling: began").touch()

    killed, spared = run(REACH, tmp_path), run(REACH, tmp_path)

    assert (killed.returncode, killed.stdout) == (-9, "")
    assert killed.stderr == "killed at a crash point: settling: began\n"
    assert (spared.returncode, spared.stdout) == (0, "went on\n")


TWO_THREADS = """
import os, sys, threading, time
from pathlib import Path
from app import failpoints

folder, has_said = Path(sys.argv[1]), threading.Event()

def stand_still(*_):  # as where the machine is busy: it has said so, and is not dead yet
    has_said.set()
    time.sleep(60)

failpoints.os.kill = stand_still
threading.Thread(target=failpoints.reach, args=["settling: began"], daemon=True).start()
has_said.wait()
(folder / "settling: after COMMIT").touch()
late = threading.Thread(target=failpoints.reach, args=["settling: after COMMIT"], daemon=True)
late.start()
late.join(0.5)
print((folder / "settling: after COMMIT").exists(), flush=True)
os._exit(0)
"""


def test_who_is_dying_takes_no_other_point_with_it(tmp_path: Path) -> None:
    """The next one would be armed by then, and would have killed nobody whom it tells of."""
    (tmp_path / "settling: began").touch()

    done = run_python("-c", TWO_THREADS, str(tmp_path), env={VARIABLE: str(tmp_path)})

    assert (done.stdout, done.stderr.count("killed at")) == ("True\n", 1)


def test_another_point_kills_nobody(tmp_path: Path) -> None:
    (tmp_path / "settling: after COMMIT").touch()

    assert run(REACH, tmp_path).stdout == "went on\n"


def test_without_the_variable_a_point_does_nothing() -> None:
    assert crashing.reach is pass_by
    assert list_crash_faults("") == []


@pytest.mark.parametrize("points", [[], [POINTS[0]], list(POINTS)])
def test_a_folder_of_points_is_fine(points: list[str], tmp_path: Path) -> None:
    for point in points:
        (tmp_path / point).touch()

    assert list_crash_faults(str(tmp_path)) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_misspelt_point_and_a_folder_that_is_none_stop_the_start(
    write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    (folder / "setling: began").touch()
    monkeypatch.setenv("GUERDON_CONFIG", str(write_config()))

    for value, fault in ((folder, "'setling: began' is no crash point"), (ROOT / "x", "no folder")):
        monkeypatch.setenv(VARIABLE, str(value))
        result = run_python("-m", "app.cli", "migrate")
        assert result.returncode == 1
        assert fault in result.stderr
        assert "Traceback" not in result.stderr
