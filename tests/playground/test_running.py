"""`guerdon run` beside a game in production: its database, its players and its platforms stay alone."""

import hashlib
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from app.cli.playground import require_harmless
from app.config.reading import read_config
from app.database.models import Report
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.playground.actions import list_targets
from app.playground.own_database import make_database
from app.playground.sections import write_config
from app.porch.errors import GuerdonError
from app.testing.deliveries import TOKEN
from app.testing.platforms import Platform
from app.testing.waiting import PATIENCE, wait_until
from tests.world.books import make_work, settle
from tests.world.browsing import Running, run_guerdon
from tests.world.servers import ROOT

ADDRESS = "http://127.0.0.1:8001"
OWN = """
[database]
url = "sqlite:///{folder}/guerdon.db"
[api]
keys = ["a \\"key\\" with \U0001f600 and \\\\ in it", {{ env = "UNSET", default = "the default of a key" }}]
[inbox]
retry_delays = [5, 0.5]
[plugins.gamemonitoring]
tokens = [{{ file = "token" }}]
[plugins.gold]
[plugins.g123]
host = "https://g123.example"
app_id = "mine"
app_secret = {{ file = "secret" }}
mirror_custom = false
"""
PRODUCTION = """
[database]
url = "{url}"
[api]
keys = ["the-key-of-production"]
[players]
table = "users"
nickname_column = "name"
user_id_column = "id"
match = "casefold"
unknown = "hold"
[dispatcher]
in_workers = false
[inbox]
retry_delays = [1]
[plugins.gamemonitoring]
api_url = "{platform}"
tokens = ["{token}"]
[plugins.gold]
column = "balance"
[plugins.g123]
host = "{platform}"
app_id = "app"
app_secret = "secret"
[plugins.webhook]
url = "{platform}/hook"
secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"
[plugins.chat]
"""
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }]
"""
CHAT = """
from app import DeliveryError, Report, hookimpl

@hookimpl
def build_report(event):
    if event.type == "server.vote":
        return Report("chat", "vote", event.id, b"{{}}")

@hookimpl
def send_report(report, http):
    if report.reporter == "chat":
        http.request("POST", "{platform}/chat", body=report.body)
        return {{}}
"""
Production = tuple[Path, Guerdon]


@pytest.fixture
def production(tmp_path: Path, platform: Platform, database_url: str) -> Any:
    """A game's own users, and reports of one vote that wait to be sent; its config and its Guerdon."""
    folder = tmp_path / "production"
    (folder / "config").mkdir(parents=True)
    (folder / "plugins").mkdir()
    (folder / "plugins" / "chat.py").write_text(CHAT.format(platform=platform.url))
    config = folder / "config" / "guerdon.toml"
    config.write_text(PRODUCTION.format(url=database_url, platform=platform.url, token=TOKEN))
    (folder / "config" / "rewards.toml").write_text(REWARDS)
    guerdon = open_guerdon(config)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(255), balance DECIMAL(20, 2))"
        )
        guerdon.database.execute_sql("INSERT INTO users VALUES (1, 'Alice', 5)")
    guerdon.migrate()
    settle(guerdon, make_work("v1", nickname="Alice"))
    yield config, guerdon
    guerdon.close()


def read_books(guerdon: Guerdon) -> list[Any]:
    """All that may not change: balances, reports, the ledger, and the tables there are."""
    database = guerdon.database
    with database.connection_context():
        users = database.execute_sql("SELECT id, name, balance FROM users").fetchall()
        reports = list(Report.select(Report.state, Report.sends).order_by(Report.id).tuples())
        events = database.execute_sql("SELECT COUNT(*) FROM guerdon_events").fetchall()
        tables = sorted(database.get_tables())
    guerdon.database.close_all()
    return [list(users), reports, events, tables]


def vote(running: Running, nickname: str = "Alice") -> Any:
    """Press Vote; what /v1 says of the player afterwards."""
    pressed = requests.post(f"{running.playground}/vote", {"nickname": nickname}, timeout=30)
    assert 'data-state="paid"' in pressed.text
    return read_v1(running, f"players/{nickname}")


def run_as_told(running: Running, environment: dict[str, str]) -> str:
    """What the command prints that the welcome shows, typed where it was shown."""
    [command] = re.findall(r"Commands +(.*)", running.log.read_text())
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment, check=True,
        stdout=subprocess.PIPE, text=True, timeout=60,
    ).stdout  # fmt: skip


def read_v1(running: Running, path: str) -> Any:
    headers = {"Authorization": "Bearer playground-api-key"}
    return requests.get(f"{running.service}/v1/{path}", headers=headers, timeout=30).json()


def test_it_works(production: Production, platform: Platform, tmp_path: Path) -> None:
    """A press of Vote pays a player to play with; users, waiting reports and platforms stay alone."""
    config, guerdon = production
    before = read_books(guerdon)
    assert [state for state, _ in before[1]] == ["ready", "ready"]
    folder = tmp_path / "run"
    folder.mkdir()
    yours = {"GUERDON_CONFIG": str(config)}

    with run_guerdon(folder, **yours) as running:
        running.wait_until_welcome()
        assert vote(running)["gold"] == "100.00"
        level = {"nickname": "Alice", "level": "3"}
        pressed = requests.post(f"{running.playground}/game/level", level, timeout=30)
        assert 'data-state="delivered"' in pressed.text
        wait_until(
            lambda: [read_v1(running, f"reports/{id_}")["sends"] for id_ in (1, 2)] >= [1, 1]
        )
        reports = [read_v1(running, f"reports/{id_}") for id_ in (1, 2)]
        listed = run_as_told(running, os.environ | yours)

    assert read_books(guerdon) == before
    assert platform.requests == []
    assert "server.vote" in listed
    [chat], [webhook] = (
        [one for one in reports if one["reporter"] == name] for name in ("chat", "webhook")
    )
    assert "see [network] only_to" in chat["last_error"]
    assert (webhook["state"], webhook["response"]) == ("delivered", {"status": 204})


def test_a_file_that_it_did_not_make_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "players.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE players (id INTEGER, gold INTEGER)")
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with run_guerdon(tmp_path, GUERDON_PLAYGROUND_DATABASE=str(path)) as running:
        assert running.process.wait(PATIENCE) == 1
        log = running.log.read_text()

    assert f"{path} is not a database that `guerdon run` made" in log
    assert "GUERDON_PLAYGROUND_DATABASE" in log
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert not path.with_suffix(".toml").exists()


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0 but broken"])
def test_a_file_that_is_no_database_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(content)
    monkeypatch.setenv("GUERDON_PLAYGROUND_DATABASE", str(path))
    with pytest.raises(GuerdonError, match=r"odd\.db"):
        make_database("sqlite:///var/guerdon.db")
    assert path.read_bytes() == content


def test_the_file_lies_beside_the_configs_own_or_in_var(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_database("sqlite:///data/guerdon.db") == tmp_path / "data" / "playground.db"
    assert make_database("mysql://game:word@127.0.0.1/game") == tmp_path / "var" / "playground.db"
    assert make_database(f"sqlite:///{tmp_path}/x/game.db") == tmp_path / "x" / "playground.db"
    assert stat.S_IMODE((tmp_path / "x" / "playground.db").stat().st_mode) == 0o600
    assert make_database(f"sqlite:///{tmp_path}/x/game.db") == tmp_path / "x" / "playground.db"


def test_a_config_of_a_studios_own_is_tried_with_what_it_changed(tmp_path: Path) -> None:
    """Rules, plugins and settings are the studio's; database, secrets and destinations are not."""
    (tmp_path / "own.toml").write_text(OWN.format(folder=tmp_path))
    (tmp_path / "rewards.toml").write_text("")
    (tmp_path / "token").write_text("of production")
    (tmp_path / "secret").write_text("of production")
    config, faults = read_config(tmp_path / "own.toml")
    assert faults == []

    path = write_config(config, ADDRESS, tmp_path / "playground.db")

    tables = tomllib.loads(path.read_text())
    assert path == tmp_path / "playground.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tables["database"] == {"url": f"sqlite:///{tmp_path}/playground.db"}
    assert tables["inbox"] == {"retry_delays": [5, 0.5]}
    assert tables["rewards"] == {"file": str(tmp_path / "rewards.toml")}
    assert tables["plugins"]["g123"] == {
        "host": ADDRESS, "app_id": "playground-app", "app_secret": "playground-app-secret",
        "timeout": 2, "mirror_custom": False,
    }  # fmt: skip
    assert "of production" not in path.read_text()
    guerdon = open_guerdon(path)
    assert list_targets(guerdon, ADDRESS) == {}
    assert guerdon.plugins.settings["gamemonitoring"]["api_url"] == ADDRESS
    assert guerdon.plugins.settings["gamemonitoring"]["tokens"][0].reveal() != "of production"
    guerdon.close()
    again, _ = read_config(path)
    assert write_config(again, ADDRESS, tmp_path / "playground.db") == path


def test_a_config_that_takes_unsigned_rounds_is_tried_with_signed_ones(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[plugins.sud]\nunsigned = true\n[plugins.gold]\n")
    (tmp_path / "rewards.toml").write_text("")
    config, _ = read_config(tmp_path / "own.toml")

    guerdon = open_guerdon(write_config(config, ADDRESS, tmp_path / "playground.db"))

    section = guerdon.plugins.settings["sud"]
    assert (section["unsigned"], bool(section["app_secret"])) == (False, True)
    guerdon.close()


def test_the_stand_ins_alone_press_no_button_that_tells_a_studios_own_url(tmp_path: Path) -> None:
    section = '[plugins.webhook]\nurl = "https://studio.example/told"\nsecret = "whsec_AAAA"\n'
    (tmp_path / "own.toml").write_text(
        f'[database]\nurl = "sqlite:///{tmp_path}/own.db"\n{section}'
    )
    (tmp_path / "rewards.toml").write_text("")
    guerdon = open_guerdon(tmp_path / "own.toml")

    with pytest.raises(GuerdonError, match=r"reports to https://studio\.example/told"):
        require_harmless(guerdon, ADDRESS)
    guerdon.close()


def test_a_config_that_somebody_else_wrote_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN.format(folder=tmp_path))
    (tmp_path / "playground.toml").write_text("# mine\n")
    config, _ = read_config(tmp_path / "own.toml")
    with pytest.raises(GuerdonError, match="was not written by `guerdon run`"):
        write_config(config, ADDRESS, tmp_path / "playground.db")
    assert (tmp_path / "playground.toml").read_text() == "# mine\n"


def test_faults_are_told_of_the_config_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN.format(folder=tmp_path) + "unheard = 1\n")
    (tmp_path / "rewards.toml").write_text("")
    with run_guerdon(tmp_path / "run", GUERDON_CONFIG=str(tmp_path / "own.toml")) as running:
        assert running.process.wait(PATIENCE) == 1
        log = running.log.read_text()
    assert f"{tmp_path}/own.toml" in log
    assert "unheard" in log
    assert "playground.toml" not in log


def test_the_stand_ins_alone_press_no_button_on_a_games_own_players(production: Production) -> None:
    config, _ = production
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "playground"], check=False, cwd=ROOT, timeout=60,
        capture_output=True, text=True,
        env=os.environ | {
            "GUERDON_CONFIG": str(config), "GUERDON_PLAYGROUND_BIND": "127.0.0.1:1",
        },
    )  # fmt: skip
    assert done.returncode == 1
    assert "pays into your table users: start `guerdon run`" in done.stderr
