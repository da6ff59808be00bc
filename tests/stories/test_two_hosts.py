"""Hosts whose clocks differ serve one database: real processes, and real clocks that are set wrongly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from app import create_app
from app.database.clock import read_ticks, read_wall
from app.guerdon import Guerdon
from app.testing.clock import Clock
from app.testing.deliveries import API_KEY, make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform, answer_late
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.crowd import make_level_up
from tests.world.servers import ROOT
from tests.world.studio import list_reports, list_sends, send_due

SetWrongly = Callable[[int], dict[str, str]]
KEY = {"Authorization": f"Bearer {API_KEY}"}
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "100.00" },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
"""
MORE = """
[plugins.g123]
host = "{platform}"
app_id = "game-7"
app_secret = "g123-secret-73a9"
timeout = 8
[inbox]
retry_delays = [0.3]
"""


FAR = 4 * 86400  # seconds: more than any lease, any delay, and the time until it is given up


# Python runs a file of this name before anything else. libfaketime would do for any process, but what
# Python 3.11 sleeps and waits with does not bear it (0.9.10: EINVAL, or a wait without end).
WRONG_CLOCK = """
import os, time
ahead, read_ns = int(os.environ["SECONDS_AHEAD"]), time.time_ns
time.time_ns = lambda: read_ns() + ahead * 10**9
time.time = lambda: time.time_ns() / 10**9
"""


@pytest.fixture
def set_wrongly(tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """The environment of a Python whose clock is so many seconds ahead."""
    folder = tmp_path / "wrong_clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK)
    return lambda ahead: {"PYTHONPATH": str(folder), "SECONDS_AHEAD": str(ahead)}


@pytest.fixture
def open_beside(open_service: Callable[..., Guerdon], platform: Platform) -> Guerdon:
    """A migrated service that only looks; its config is the hosts'."""
    guerdon = open_service(REWARDS, MORE.replace("{platform}", platform.url))
    guerdon.database.close_all()
    return guerdon


def tell_level(server: Gunicorn, level: int) -> Any:
    url, body = f"{server.url}/v1/events/level_up", make_level_up("Bob", level)
    return requests.post(url, json=body, headers=KEY | {"Prefer": "wait=10"}, timeout=30)


def lease(server: Gunicorn) -> Any:
    body = {"server_id": "1", "limit": 100, "seconds": 60}
    return requests.post(f"{server.url}/v1/claims/lease", json=body, headers=KEY, timeout=30).json()


def ask(server: Gunicorn, id: str) -> Any:
    url = f"{server.url}/v1/events/server.vote/{id}"
    return requests.get(url, headers=KEY, timeout=30).json()


def post_vote(server: Gunicorn, id: str) -> int:
    url = f"{server.url}/webhooks/gamemonitoring"
    return requests.post(url, data=make_delivery(id), timeout=30).status_code


def test_it_works(set_wrongly: SetWrongly) -> None:
    code = "from app.database.clock import *; print(read_wall(), read_ticks())"

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | set_wrongly(FAR),
        text=True, check=True, capture_output=True,
    )  # fmt: skip

    wall, ticks = map(int, told.stdout.split())
    assert abs(wall - read_wall() - FAR * 1000) < 60_000
    assert abs(ticks - read_ticks()) < 60_000


@pytest.mark.on_servers
@pytest.mark.parametrize("seconds", [FAR, -FAR])
def test_two_hosts_whose_clocks_differ_do_nothing_twice_and_kill_nothing(
    seconds: int,
    open_beside: Guerdon,
    start_gunicorn: Callable[..., Gunicorn],
    set_wrongly: SetWrongly,
    vote_api: VoteApi,
    platform: Platform,
) -> None:
    path = open_beside.config.path
    right = start_gunicorn(path, workers=1)
    wrong = start_gunicorn(path, workers=1, **set_wrongly(seconds))

    # Claims are leased once, whoever has them, and until the same time.
    for number in range(6):
        assert post_vote([right, wrong][number % 2], f"v{number}") == 204
    for first, second in ((right, wrong), (wrong, right)):
        leased = lease(first)
        assert len(leased["claims"]) == (6 if first is right else 0)
        assert lease(second)["claims"] == []

    # A vote that waits has its tries, also those that the other host makes.
    vote_api.behave = lambda handler: answer(handler, 404, b"")
    for number, server in enumerate([right, wrong]):
        assert post_vote(server, f"late{number}") == 503
    asked = len(vote_api.asked)
    wait_until(lambda: len(vote_api.asked) > asked + 8, 60)
    assert {ask(right, "late0")["state"], ask(right, "late1")["state"]} == {"waiting"}
    vote_api.behave = None
    for id in ("late0", "late1"):
        wait_until(lambda id=id: ask(wrong, id)["state"] == "settled", 60)

    # A report that one host sends for a while is left alone by the other.
    platform.behave = answer_late(3)
    for level, server in ((1, right), (2, wrong)):
        assert tell_level(server, level).status_code == 200
    bodies = [request.body for request in platform.requests]
    assert len(bodies) == len(set(bodies)) == 2


@pytest.mark.on_servers
def test_check_says_that_this_hosts_clock_is_wrong(
    open_beside: Guerdon, set_wrongly: SetWrongly
) -> None:
    command = [sys.executable, "-m", "app.cli", "check"]
    environment = os.environ | {"GUERDON_CONFIG": str(open_beside.config.path)}

    for more, fault in ((set_wrongly(120), "ahead of"), (set_wrongly(-120), "behind"), ({}, "")):
        done = subprocess.run(
            command, cwd=ROOT, env=environment | more, text=True, capture_output=True, check=False
        )
        assert (fault in done.stderr, done.returncode) == (True, int(bool(fault))), done.stderr
        assert ("this host's clock is 1" in done.stderr) == bool(fault)


def test_a_vote_that_waits_outlives_a_clock_that_was_wrong(
    open_beside: Guerdon,
    set_wrongly: SetWrongly,
    start_gunicorn: Callable[..., Gunicorn],
    vote_api: VoteApi,
) -> None:
    """One host after the other: on SQLite both go by its own clock, which is then put right."""
    vote_api.behave = lambda handler: answer(handler, 404, b"")
    wrong = start_gunicorn(open_beside.config.path, workers=1, **set_wrongly(FAR))
    assert post_vote(wrong, "v1") == 503
    asked = len(vote_api.asked)
    wait_until(lambda: len(vote_api.asked) > asked + 2, 60)
    wrong.stop()

    right = start_gunicorn(open_beside.config.path, workers=1)
    asked = len(vote_api.asked)
    wait_until(lambda: len(vote_api.asked) > asked + 2, 60)
    right.stop()

    wrong.start()
    asked = len(vote_api.asked)
    wait_until(lambda: len(vote_api.asked) > asked + 2, 60)
    assert ask(wrong, "v1")["state"] == "waiting"
    vote_api.behave = None
    wait_until(lambda: ask(wrong, "v1")["state"] == "settled", 60)


@pytest.mark.parametrize("how", [signal.SIGSTOP, None])
def test_who_was_stopped_between_lease_and_send_sends_nothing_any_more(
    how: int | None, open_beside: Guerdon, clock: Clock, platform: Platform, tmp_path: Path
) -> None:
    """Somebody else has delivered the report meanwhile. None: it was busy, and not stopped."""
    clock.now = read_wall()
    client = create_app(open_beside).test_client()
    headers = KEY | {"Prefer": "wait=0"}
    client.post("/v1/events/level_up", json=make_level_up("Bob", 2), headers=headers)
    command = [
        sys.executable,
        "-m",
        "tests.world.senders",
        str(open_beside.config.path),
        "3000",
        str(tmp_path),
    ]
    held_up = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until((tmp_path / "begun").exists, 60)
        if how:
            held_up.send_signal(how)
        time.sleep(3.2)
        clock.now = read_wall()
        send_due(open_beside)
        assert len(platform.requests) == 1

        (tmp_path / "go").touch()
        held_up.send_signal(signal.SIGCONT)
        key = list_reports(open_beside)[0].key
        wait_until(lambda: all(send.ended_at for send in list_sends(open_beside, key)), 30)
    finally:
        held_up.kill()
        held_up.wait()

    assert len(platform.requests) == 1
    first, second = list_sends(open_beside, key)
    assert "its lease is over" in first.error
    assert (second.status, second.error) == (200, "")
    [row] = list_reports(open_beside)
    assert (row.state, row.sends, row.last_error) == ("delivered", 2, "")
