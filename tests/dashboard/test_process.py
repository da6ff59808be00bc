"""`guerdon dashboard`: a process of its own, closed until somebody may come in."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from app.config.reading import read_config
from app.dashboard.people import check_password
from app.guerdon import Guerdon
from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.waiting import wait_until
from tests.dashboard.conftest import Scene
from tests.dashboard.screens import SCREENS
from tests.world.browsing import run_guerdon
from tests.world.running_dashboards import HASH, PASSWORD, USERS, Dashboard, Session

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def scene(make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene("sqlite", "small")


def run(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", "dashboard", *words], check=False, capture_output=True,
        text=True, env=os.environ | {"GUERDON_CONFIG": str(config)}, timeout=60,
    )  # fmt: skip


def test_it_works(scene: Scene) -> None:
    """Read with no service running; a sign-in, a page, an act."""
    person, ledger = Session(scene.dashboard.url), scene.ledger
    assert person.sign_in("anna").status_code == 303
    page = SCREENS["dead report"](ledger)
    assert "Why it is not delivered" in person.read(page).text

    done = person.send(page, "/report/retry", id=str(ledger.dead_report))

    assert done.status_code == 303
    assert "It is sent again at once." in person.read(done.headers["Location"]).text
    assert PASSWORD not in scene.dashboard.log.read_text()


def test_a_live_part_is_answered_304_until_it_changes(scene: Scene) -> None:
    person, page = Session(scene.dashboard.url), "/leaderboards"
    person.sign_in("anna")
    page = SCREENS["stuck event"](scene.ledger)
    first = person.read(page, headers={"Part": "live"})
    assert "<html" not in first.text
    again = {"Part": "live", "If-None-Match": first.headers["ETag"]}

    assert person.read(page, headers=again).status_code == 304
    person.send(page, "/event/retry", type=scene.ledger.type, id=scene.ledger.stuck)
    changed = person.read(page, headers=again)

    assert changed.status_code == 200
    assert "a person had it tried again" in changed.text


def test_hup_begins_anew_and_sessions_go_on(scene: Scene) -> None:
    person = Session(scene.dashboard.url)
    person.sign_in("anna")
    before = set(scene.dashboard.list_workers())
    text = scene.config.read_text()
    assert scene.dashboard.process is not None

    scene.config.write_text(text.replace("[dashboard]", "[dashboard]\nnonsense = 1"))
    scene.dashboard.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense: is not a setting" in scene.dashboard.log.read_text())
    assert person.read("/about").status_code == 200
    scene.config.write_text(text)
    scene.dashboard.process.send_signal(signal.SIGHUP)

    wait_until(lambda: not set(scene.dashboard.list_workers()) & before)
    assert person.read("/about").status_code == 200


@SQLITE
def test_it_is_closed_until_somebody_may_come_in(open_service: Callable[..., Guerdon]) -> None:
    """It says so, and to whom it is started for too: a unit that ended would be started for ever."""
    dashboard = Dashboard(open_service().config.path)
    dashboard.start()
    try:
        stranger = Session(dashboard.url)
        for path in ("/", "/sign-in", "/rules", "/event?type=server.vote&id=v1"):
            page = stranger.read(path)
            assert page.url.startswith(f"{dashboard.url}/sign-in")
            assert "The dashboard is closed" in page.text
            assert "<form" not in page.text
        assert stranger.http.post(f"{dashboard.url}/sign-in", timeout=30).status_code == 400
        assert stranger.read("/metrics").status_code == 200
    finally:
        assert dashboard.stop() == 0

    log = dashboard.log.read_text()
    assert "closed until [dashboard] names who may come in" in log
    assert "Traceback" not in log


@SQLITE
def test_a_password_is_printed_as_the_config_takes_it(
    write_config: Callable[..., Path], database_url: str
) -> None:
    config = write_config()
    done = run(config, "password", 'an "odd" name', "--role", "act", "--password", PASSWORD)
    short = run(config, "password", "anna", "--password", "short")

    config = write_config(more=f"[dashboard]\nusers = [\n{done.stdout}]")
    read, faults = read_config(config)
    assert faults == []
    [user] = read.dashboard.users
    assert (user.name, str(user.role)) == ('an "odd" name', "act")
    assert check_password(read.dashboard.users, user.name, PASSWORD) is user
    assert check_password(read.dashboard.users, user.name, PASSWORD + ".") is None
    assert short.returncode == 1
    assert "at least 12 characters" in short.stderr


@SQLITE
def test_it_ends_in_order_and_killed_at_any_time_the_service_notices_nothing(
    open_service: Callable[..., Guerdon], start_gunicorn: Callable[..., Gunicorn]
) -> None:
    guerdon = open_service(more=USERS)
    server = start_gunicorn(guerdon.config.path, workers=1)
    dashboard = Dashboard(guerdon.config.path)
    answers: list[int] = []

    for number in range(3):
        dashboard.start()
        person = Session(dashboard.url)
        person.sign_in("anna")
        assert person.read("/").status_code == 200
        body = make_delivery(f"v{number}")
        delivered = requests.post(f"{server.url}/webhooks/gamemonitoring", body, timeout=60)
        answers.append(delivered.status_code)
        if number < 2:
            dashboard.kill()
    code = dashboard.stop()

    assert answers == [204] * 3
    assert code == 0
    assert requests.get(f"{server.url}/readyz", timeout=60).status_code == 200
    assert "Traceback" not in dashboard.log.read_text()


@SQLITE
def test_a_database_that_does_not_answer_is_told_of(
    open_service: Callable[..., Guerdon], tmp_path: Path
) -> None:
    """A page of words; signing in is as impossible as anything else."""
    more = USERS.replace("[dashboard]", f'[dashboard]\nsession_key = "{HASH[:40]}"')
    guerdon = open_service(more=more)
    guerdon.database.close_all()
    for path in tmp_path.glob("guerdon.db*"):
        path.write_bytes(b"this is no database" * 1000)
    dashboard = Dashboard(guerdon.config.path)
    dashboard.start()
    person = Session(dashboard.url)
    person.sign_in("anna")
    answer: Any = person.read("/")
    dashboard.kill()

    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert "Traceback" not in answer.text


def test_guerdon_run_starts_it_with_somebody_who_may_act(tmp_path: Path) -> None:
    """As its welcome says; it looks at the ledger that the playground fills."""
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        told = re.search(
            r"Dashboard +(\S+), as (\S+) with the password (\S+)", running.log.read_text()
        )
        assert told
        person = Session(told[1])
        assert told[1] == running.dashboard
        assert person.sign_in(told[2], told[3]).status_code == 303
        vote = {"nickname": "Alice", "server": "1"}
        assert requests.post(f"{running.playground}/vote", vote, timeout=60).status_code == 200
        assert "every" in person.read("/rules").text
        wait_until(lambda: "What he was given" in person.read("/player?name=Alice").text
                   and "<time" in person.read("/player?name=Alice").text)  # fmt: skip
        running.process.terminate()
        assert running.process.wait(60) == 0
        assert running.is_group_gone()
