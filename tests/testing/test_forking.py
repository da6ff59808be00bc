"""Processes that pay are forks, and as fresh as if each had been started."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.testing.contracts.forking import Nurseries
from app.testing.waiting import wait_until

NO_ORDER = "[]"  # its traceback says what became of it
ASK = """
import sys, threading
import app.testing.contracts.forking
print(threading.active_count(), [name for name in sys.modules if name.startswith("plugins.")])
"""


@pytest.fixture
def nurseries() -> Iterator[Nurseries]:
    made = Nurseries()
    yield made
    for one in made._begun.values():
        one.close()


def test_it_works(nurseries: Nurseries) -> None:
    """Many at once are each told of their own."""
    orders = [f'{{"config": "/nowhere/{number}/guerdon.toml"}}' for number in range(20)]

    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(nurseries.run, orders))

    assert {done.returncode for done in ended} == {1}
    assert len(nurseries._begun) == 1
    assert all("Traceback" in done.stderr for done in ended)


def test_who_fails_is_told_of_with_what_was_said(nurseries: Nurseries) -> None:
    done = nurseries.run(NO_ORDER)

    assert (done.returncode, done.stdout) == (1, "")
    assert "TypeError" in done.stderr


def test_one_begins_anew_where_the_environment_is_another(
    nurseries: Nurseries, monkeypatch: pytest.MonkeyPatch
) -> None:
    nurseries.run(NO_ORDER)
    before = nurseries._begun[False]
    nurseries.run(NO_ORDER)
    assert nurseries._begun[False] is before

    monkeypatch.setenv("GUERDON_TRIED", "yes")
    nurseries.run(NO_ORDER)

    now = nurseries._begun[False]
    assert before._process.returncode == 0
    environment = f"/proc/{now._process.pid}/environ"
    with open(environment, "rb") as file:
        assert b"GUERDON_TRIED=yes" in file.read()


def test_what_is_forked_from_has_no_thread_and_no_plugin() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK], capture_output=True, text=True, check=True
    )

    assert done.stdout == "1 []\n"


def test_it_ends_with_whoever_began_it(nurseries: Nurseries) -> None:
    nurseries.run(NO_ORDER)
    nursery = nurseries._begun[False]

    nursery._control.close()

    wait_until(lambda: nursery._process.poll() is not None)
    assert nursery._process.returncode == 0
    assert not os.path.exists(f"/proc/{nursery._process.pid}/fd")
