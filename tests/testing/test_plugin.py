"""The fixtures that Guerdon brings to pytest, as a plugin's author has them: in a folder of his own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.testing.database_servers import DatabaseServer, find_mariadb
from app.testing.requiring import require
from tests.world.servers import ROOT

CHAT = """
from guerdon import Report, hookimpl
from marshmallow import Schema, fields

class Section(Schema):
    url = fields.String()

@hookimpl
def settings_schema():
    return Section

@hookimpl
def build_report(event):
    return Report("chat", "told", event.id, event.type.encode())

@hookimpl
def send_report(report, http, settings):
    if report.reporter == "chat":
        http.request("POST", settings["chat"]["url"], body=report.body)
        return {}
"""
TESTS = """
import pytest
from app.database.opening import Sqlite

RULES = '''
[[rules]]
on = "level_up"
give = [{ reward = "gold", amount = "2.50" }]
[[rules]]
on = "server.vote"
server = "2"
give = [{ reward = "item", item = "sword" }]
'''
SECTION = '[plugins.chat]\\nurl = "{platform}/chat"\\n'


def test_it_works(deliver, books, read_player, guerdon):
    print("FAMILY", guerdon.database.family)
    assert deliver("v1").status_code == deliver("v1").status_code == 204
    assert books().gold == {"Bob": "100.00"}
    assert (books().events, books().grants, books().waiting) == (["v1"], 1, {})
    assert [grant["receipt"]["added"] for grant in read_player()["grants"]] == ["100.00"]


@pytest.mark.guerdon(rewards=RULES)
def test_rules_are_those_of_the_mark(deliver, vote_api, read_player, post_event):
    vote_api.server_id = 2
    assert deliver("v1").status_code == 204
    assert post_event("level_up", uid="Bob", level=3).status_code == 200
    assert (read_player()["items"], read_player()["gold"]) == ({"sword": 1}, "2.50")


def test_a_vote_that_waits_is_tried_when_the_clock_says_so(deliver, vote_api, clock, books, guerdon):
    vote_api.votes["v1"] = {"id": "another"}
    assert deliver("v1").status_code == 503
    assert list(books().waiting) == ["v1"]
    now = clock.now
    clock.advance(90)
    assert guerdon.now() == now + 90_000


@pytest.mark.guerdon(more=SECTION)
def test_the_platform_is_told(deliver, send_reports, platform):
    deliver("v1")
    send_reports()
    assert [(one.path, one.body) for one in platform.requests] == [("/chat", b"server.vote")]


def test_a_forged_vote_is_refused(deliver, sign, guerdon_client, books):
    fields = {"event_id": "v1", "event_type": "server.vote", "is_test": False}
    forged = {**fields, "event_id": "v2", "signature": sign(fields)}
    assert guerdon_client.post("/webhooks/gamemonitoring", json=forged).status_code == 401
    assert deliver("v1", is_test=True).status_code == 204
    assert books().events == []
"""
LIGHT = """
import sys
before = set(sys.modules)
import app.testing.plugin
ours = {name for name in set(sys.modules) - before if name.split(".")[0] in ("app", "plugins")}
theirs = {"flask", "peewee", "marshmallow", "structlog", "pluggy", "requests"}
print(sorted(ours), sorted(theirs & (set(sys.modules) - before)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop" / "plugins").mkdir(parents=True)
    (tmp_path / "shop" / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (tmp_path / "shop" / "plugins" / "chat.py").write_text(CHAT)
    (tmp_path / "shop" / "test_all.py").write_text(TESTS)
    return tmp_path / "shop"


def run(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *options],
        cwd=folder, check=False, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name != "GUERDON_REQUIRE_ALL"},
    )  # fmt: skip
    return done.stdout + done.stderr


def test_it_works(folder: Path) -> None:
    said = run(folder)

    assert "5 passed" in said
    assert "FAMILY sqlite" in said


def test_a_test_imports_its_plugin(folder: Path) -> None:
    """Of a studio's folder: also at its top, and it is the one that is tested."""
    (folder / "config").mkdir()
    (folder / "config" / "guerdon.toml").touch()
    (folder / "test_import.py").write_text(
        "from plugins.chat import build_report\n\n\ndef test_it(guerdon):\n    pass\n"
    )

    assert "6 passed" in run(folder)


def test_a_server_without_a_driver_is_not_started(folder: Path) -> None:
    hide = "import sys; sys.modules['pymysql'] = None; import pytest; sys.exit(pytest.main())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", hide, "-q", "-k", "test_it_works"],
        cwd=folder, check=False, capture_output=True, text=True,
        env=os.environ | {"PYTEST_ADDOPTS": "--guerdon-database=mariadb"},
    )  # fmt: skip

    assert "needs a driver: pip install 'guerdon[mysql]'" in done.stdout + done.stderr


@pytest.mark.on_servers
def test_they_run_on_a_server_that_somebody_has(
    folder: Path, database_server: DatabaseServer
) -> None:
    """Each test has a database of its own there, and leaves none behind."""
    before = database_server.run("SHOW DATABASES")

    said = run(folder, f"--guerdon-database={database_server.url('')}")

    assert "5 passed" in said
    assert "FAMILY mysql" in said
    assert database_server.run("SHOW DATABASES") == before


def test_they_run_on_a_server_that_is_started_for_them(folder: Path) -> None:
    require(find_mariadb(), "mariadb-server")

    said = run(folder, "--guerdon-database=mariadb", "-k", "test_it_works")

    assert "1 passed" in said
    assert "FAMILY mysql" in said


def test_another_database_is_refused_in_words(folder: Path) -> None:
    said = run(folder, "--guerdon-database=postgres", "-k", "test_it_works")

    assert "--guerdon-database: sqlite, mariadb, mysql, or mysql://user:password@host" in said


def test_nothing_is_loaded_before_a_test_asks() -> None:
    """Every run of pytest loads the plugin where Guerdon is installed, whatever it tests."""
    done = subprocess.run(
        [sys.executable, "-c", f"import pytest\n{LIGHT}"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout == ("['app', 'app.interrupting', 'app.testing', 'app.testing.plugin'] []\n")
