"""`guerdon reload`: the running service takes over what is well, and goes on where it is not."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.doctor.pids import find_pid_file, find_server, prepare_pid_file
from app.scaffold.studio import find_command, write_studio
from app.testing.gunicorn import Gunicorn
from app.testing.waiting import wait_until

GUERDON = find_command()


def run(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [GUERDON, "-C", str(folder), *words], check=False, timeout=200, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | environment,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Gunicorn]]:
    """A studio's folder, and `guerdon serve` in it."""
    folder = tmp_path / "shop"
    write_studio(folder)
    assert run(folder, "migrate")[0] == 0
    server = Gunicorn(folder / "config" / "guerdon.toml", workers=2, by_command=True)
    server.start()
    yield folder, server
    server.stop()


def test_it_works(served: tuple[Path, Gunicorn]) -> None:
    """New workers for a change that is well; the old ones, and the fault in words, for one that is not."""
    folder, server = served
    bind, before = server.url.removeprefix("http://"), set(server.list_workers())

    code, said = run(folder, "reload", GUERDON_BIND=bind)

    assert (code, said) == (0, "reloaded: 2 workers\n")
    after = set(server.list_workers())
    assert not after & before
    (folder / "config" / "rewards.toml").write_text("[[rules]]\n")
    code, said = run(folder, "reload", GUERDON_BIND=bind)
    assert code == 1
    assert "rewards.toml: rule 1" in said
    assert set(server.list_workers()) == after
    assert requests.get(f"{server.url}/readyz", timeout=30).status_code == 200


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_studio(folder)
    assert run(folder, "migrate")[0] == 0

    code, said = run(folder, "reload", GUERDON_BIND="127.0.0.1:9")

    assert code == 1
    assert said == "no `guerdon serve` of this folder runs at 127.0.0.1:9; see GUERDON_BIND\n"


def test_a_number_that_another_process_has_now_stops_no_start(
    served: tuple[Path, Gunicorn],
) -> None:
    """A killed service leaves its file, and its number may be anybody's after a while."""
    folder, server = served
    path = find_pid_file(folder, server.url.removeprefix("http://"))
    assert server.process is not None
    wait_until(lambda: find_server(path) == server.process.pid)
    server.kill_all()
    assert path.exists()
    path.write_text(str(os.getpid()))

    assert find_server(path) is None
    server.start()

    assert find_server(path) == server.process.pid


def test_a_folder_that_cannot_be_written_costs_only_the_file(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")

    assert prepare_pid_file(find_pid_file(tmp_path, "127.0.0.1:1")) == {}


def test_each_address_has_a_file_of_its_own(tmp_path: Path) -> None:
    binds = ("127.0.0.1:8000", "10.0.0.5:8000", "unix:/run/g.sock", "[::1]:8000")

    assert len({find_pid_file(tmp_path, bind) for bind in binds}) == len(binds)
    assert {find_pid_file(tmp_path, bind).parent for bind in binds} == {tmp_path / "var"}
