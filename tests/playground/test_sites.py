"""Votes by the protocols of vote sites at `guerdon run`, and the commands that arrive at its console."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from app.cli.playground import require_harmless
from app.config.reading import read_config
from app.opening import open_guerdon
from app.playground.console import ConsoleServer, GameConsole
from app.playground.page import build_playground
from app.playground.sections import write_config
from app.playground.site_sections import Ports, choose_ports
from app.playground.stage import Stage
from app.porch.errors import ConfigError, GuerdonError
from app.testing.waiting import PATIENCE, wait_until
from tests.world.browsing import Page, Running, open_chromium, run_guerdon
from tests.world.rcon_server import pack
from tests.world.servers import ROOT

ADDRESS = "http://127.0.0.1:8001"
NOWHERE = "http://127.0.0.1:9"
PLACES = Ports(18192, 25599, "a-secret-of-this-test")
SITES = ("topgg", "votifier_v2", "votifier_v1", "pingback")
ENTRY = re.compile(r'<details class="card entry \w+" id="vote-(\d+)"\s+data-state="(\w+)"')
LINE = re.compile(r'data-way="(\w+)" data-run="(\w+)">.*?class="command">(.*?)</code>', re.DOTALL)
CLAIM = re.compile(
    r'<article class="card claim (\w+)" id="claim-(\d+)".*?<small>for (\w+),', re.DOTALL
)
STUDIO = """
[players]
table = "users"
nickname_column = "name"
[plugins.claim_queue]
[plugins.gamemonitoring]
tokens = ["a-token-of-production"]
[plugins.topgg]
secrets = ["whs_of_production"]
server = "lobby"
user_id_column = "discord"
[plugins.rcon.servers.survival]
address = "10.0.0.7:25575"
password = "of-production"
servers = ["1", "2"]
[plugins.rcon.servers.survival.commands.diamonds]
run = "give {nickname} minecraft:diamond {amount}"
[plugins.webrcon.servers.rust]
address = "ws://10.0.0.8:28016"
password = "of-production"
servers = ["3"]
"""


@dataclass
class Visitor:
    """Somebody at the page who plays as one player; `page` is what he saw last."""

    running: Running
    nickname: str
    page: str = ""

    def press(self, path: str, site: str = "topgg", **form: str) -> tuple[int, str]:
        """Press a button; number and state of the newest vote."""
        sent = {"nickname": self.nickname, "site": site, **form}
        answer = requests.post(f"{self.running.playground}/sites/{path}", sent, timeout=30)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        found = ENTRY.search(self.page)
        return (int(found[1]), found[2]) if found else (0, "")

    def look(self) -> str:
        place = f"{self.running.playground}/sites"
        self.page = requests.get(place, {"nickname": self.nickname}, timeout=30).text
        return self.page

    def read_gold(self) -> str:
        found = re.search(r'id="gold">([\d.]+)<', self.look())
        assert found
        return found[1]

    def list_commands(self) -> list[tuple[str, str]]:
        """Of this player: the way in which each was met, and whether it ran; the latest first."""
        lines = LINE.findall(self.look())
        return [(way, run) for way, run, text in lines if f" {self.nickname} " in text]

    def list_claims(self) -> list[tuple[str, str]]:
        """State and id of each of this player's, the latest first."""
        return [
            (state, id_) for state, id_, who in CLAIM.findall(self.look()) if who == self.nickname
        ]

    def wait_for_claim(self, state: str) -> str:
        """The id of the latest, once it has come to this."""
        wait_until(lambda: [one for one, _ in self.list_claims()][:1] == [state])
        return self.list_claims()[0][1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("sites")) as running:
        running.wait_until_welcome()
        yield running


@pytest.fixture
def visitor(running: Running, request: pytest.FixtureRequest) -> Visitor:
    """A player of the test's own, who is online."""
    nickname = re.sub(r"\W", "", request.node.name)[-16:].strip("_")
    requests.post(f"{running.playground}/players", {"nickname": nickname}, timeout=10)
    visitor = Visitor(running, nickname)
    visitor.press("online", online="yes")
    return visitor


def decide(visitor: Visitor, claim: str, verdict: str) -> str:
    """As the page says that one decides in a terminal."""
    shown = re.search(
        rf"(GUERDON_CONFIG=\S+ \S+ claims resolve {claim} {verdict})\n?", visitor.look()
    )
    assert shown
    done = subprocess.run(
        ["sh", "-c", shown[1]], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_it_works(visitor: Visitor) -> None:
    """A vote by each site earns gold and a command, once; the same again earns nothing."""
    for count, site in enumerate(SITES, 1):
        number, state = visitor.press("vote", site)
        assert (site, state) == (site, "paid")
        again = visitor.press("again", site, number=str(number))
        # A toplist gives votes no id, so Guerdon knows another vote, which came too soon.
        assert again == (number + 1, "unpaid" if site == "pingback" else "again")
        assert visitor.read_gold() == f"{count}00.00"

    wait_until(lambda: len(visitor.list_commands()) == len(SITES))
    assert visitor.list_commands() == [("well", "yes")] * len(SITES)
    assert [state for state, _ in visitor.list_claims()] == ["done"] * len(SITES)


@pytest.mark.parametrize("site", SITES)
def test_a_forged_vote_is_refused_and_nothing_of_it_is_kept(visitor: Visitor, site: str) -> None:
    number, state = visitor.press("forged", site)
    assert state == "refused"
    assert visitor.press("again", site, number=str(number))[1] == "refused"
    assert visitor.read_gold() == "0.00"
    assert visitor.list_claims() == []


def test_a_command_waits_for_who_is_not_online(visitor: Visitor) -> None:
    visitor.press("online", online="no")
    assert visitor.press("vote")[1] == "paid"
    visitor.wait_for_claim("waits")
    assert visitor.list_commands() == []
    visitor.press("online", online="yes")
    visitor.wait_for_claim("done")
    assert visitor.list_commands() == [("well", "yes")]


@pytest.mark.parametrize(
    ("way", "has_run", "verdict", "runs"),
    [("cut_after", "yes", "given", ["yes"]), ("cut_before", "no", "again", ["yes", "no"])],
)
def test_a_cut_connection_is_unknown_until_a_person_decides(
    visitor: Visitor, way: str, has_run: str, verdict: str, runs: list[str]
) -> None:
    """Who looks at the console knows what to say; and what he says is done."""
    visitor.press("console", way=way)
    assert visitor.press("vote", "votifier_v2")[1] == "paid"
    claim = visitor.wait_for_claim("unknown")
    assert visitor.list_commands() == [(way, has_run)]
    assert f'href="{visitor.running.dashboard}/claims"' in visitor.page

    decide(visitor, claim, verdict)

    assert visitor.wait_for_claim("done") == claim
    assert [run for _, run in visitor.list_commands()] == runs


def test_an_unknown_player_is_paid_once_he_is_added(running: Running) -> None:
    visitor = Visitor(running, "Nobody_yet")
    assert visitor.press("vote", "votifier_v1")[1] == "waiting"
    form = {"nickname": visitor.nickname, "page": "sites.show"}
    answer = requests.post(f"{running.playground}/players", form, timeout=30)
    assert "/sites?" in answer.url
    wait_until(lambda: ENTRY.findall(visitor.look())[0][1] == "paid")


def test_wrong_wishes_are_refused(visitor: Visitor) -> None:
    place, form = f"{visitor.running.playground}/sites", {"nickname": visitor.nickname}
    for path, wish in (("vote", {"site": "nowhere"}), ("console", {"way": "odd"})):
        answer = requests.post(f"{place}/{path}", form | wish, timeout=10)
        assert answer.status_code == 400
    forged = {"Origin": "https://evil.example"}
    answer = requests.post(f"{place}/vote", form | {"site": "topgg"}, headers=forged, timeout=10)
    assert answer.status_code == 403


def test_a_browser_sees_the_command_arrive(visitor: Visitor, tmp_path: Path) -> None:
    """By buttons and without a reload; who leaves the game may join it again."""
    with open_chromium(tmp_path / "chromium") as browser:
        page = Page(browser, visitor.running, f"/sites?nickname={visitor.nickname}")
        browser.find_element(By.CSS_SELECTOR, "[name=site][value=votifier_v2]").click()
        press(page, "vote")
        page.wait(lambda: page.read("details.entry .status") == "ok")
        page.wait(lambda: f"give {visitor.nickname} minecraft:diamond 1" in page.read("#console"))
        press(page, "switch")
        page.wait(lambda: visitor.nickname not in page.read("#online"))
        page.wait(lambda: "joins" in page.read("#switch"))
        press(page, "switch")
        page.wait(lambda: visitor.nickname in page.read("#online"))
        Select(browser.find_element(By.ID, "way")).select_by_value("cut_after")
        page.wait(lambda: "hangs up" in page.read("#way-said"))
        press(page, "vote")
        page.wait(lambda: "claims resolve" in page.read(".claim.unknown"))
        assert page.measure_on_a_phone() == 360
        page.check_quiet()


def press(page: Page, id: str) -> None:
    page.wait(lambda: not page.browser.find_elements(By.CSS_SELECTOR, "[aria-busy]"))
    page.browser.find_element(By.ID, id).click()


@pytest.fixture
def console() -> Iterator[ConsoleServer]:
    server = ConsoleServer(GameConsole("the password"), ("127.0.0.1", 0))
    server.start()
    yield server
    server.stop()


def ask(server: ConsoleServer, *packets: bytes) -> bytes:
    """All that comes back until it hangs up, or until as many answers came."""
    with socket.create_connection(server.server_address, PATIENCE) as connection:
        came = b""
        for packet in packets:
            connection.sendall(packet)
            came += (part := connection.recv(4096))
            if not part:
                break
        return came


def test_the_console_listens_to_who_has_the_password_and_to_packets_alone(
    console: ConsoleServer,
) -> None:
    command = pack(2, 2, b"give Bob minecraft:diamond 1")
    assert ask(console, pack(1, 3, b"wrong"), command) == pack(-1, 2, b"")
    assert ask(console, command) == b""
    assert ask(console, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert console.console.list_lines() == []
    console.console.set_online("Bob", True)
    said = ask(console, pack(1, 3, b"the password"), command)
    assert said == pack(1, 2, b"") + pack(2, 0, b"Gave 1 [Diamond] to Bob")
    assert [line.command for line in console.console.list_lines()] == [
        "give Bob minecraft:diamond 1"
    ]


def write_studio_copy(folder: Path, more: str = "", text: str = STUDIO) -> Path:
    """The copy that `guerdon run` would work on, of a studio's config."""
    (folder / "own.toml").write_text(f'[database]\nurl = "sqlite:///{folder}/own.db"\n{text}{more}')
    (folder / "rewards.toml").write_text("")
    config, faults = read_config(folder / "own.toml")
    assert faults == []
    return write_config(config, ADDRESS, folder / "playground.db", ports=PLACES)


def test_consoles_of_a_studios_own_lead_to_the_stand_in(tmp_path: Path) -> None:
    """Their words and servers stay; no command that is tried here can reach a game."""
    path = write_studio_copy(tmp_path)

    consoles = tomllib.loads(path.read_text())["plugins"]["rcon"]["servers"]
    assert {one["address"] for one in consoles.values()} == {"127.0.0.1:25599"}
    assert consoles["survival"]["servers"] == ["1", "2"]
    assert "diamonds" in consoles["survival"]["commands"]
    guerdon = open_guerdon(path)
    assert guerdon.delivering.names == ["rcon/survival", "rcon/playground"]
    assert guerdon.plugins.settings["topgg"]["server"] == "lobby"
    assert guerdon.plugins.settings["topgg"]["secrets"][0].reveal() == "whs_a-secret-of-this-test"
    require_harmless(guerdon, ADDRESS)
    guerdon.close()


def test_the_stand_ins_alone_press_no_button_for_a_real_console(tmp_path: Path) -> None:
    database = f'[database]\nurl = "sqlite:///{tmp_path}/own.db"\n'
    console = STUDIO[STUDIO.index("[plugins.rcon.") : STUDIO.index("[plugins.webrcon.")]
    (tmp_path / "own.toml").write_text(database + console)
    (tmp_path / "rewards.toml").write_text("")
    guerdon = open_guerdon(tmp_path / "own.toml")
    with pytest.raises(GuerdonError, match="delivers claims to the console rcon/survival"):
        require_harmless(guerdon, ADDRESS)
    guerdon.close()


def test_a_plugin_of_the_studios_own_keeps_its_name(tmp_path: Path) -> None:
    """It knows other settings than ours, and no console of it is sent anything."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    for name in ("topgg", "rcon"):
        (plugins / f"{name}.py").write_text("")
    path = write_studio_copy(tmp_path, text="[studio]\nplugins = 'plugins'\n[plugins.gold]\n")
    tables = tomllib.loads(path.read_text())
    assert sorted(tables["plugins"]) == [
        "g123",
        "gamemonitoring",
        "gold",
        "pingbacks",
        "sud",
        "votifier",
    ]
    assert tables["dispatcher"]["consoles"] is False


def test_without_the_package_of_v1_votifier_speaks_v2_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    path = write_studio_copy(tmp_path)
    section: dict[str, Any] = tomllib.loads(path.read_text())["plugins"]["votifier"]
    assert section["tokens"] == {"default": PLACES.secret}
    assert "private_key" not in section
    assert not (tmp_path / "playground-votifier.pem").exists()
    with open_page(path) as client:
        page = client.get("/sites").text
        assert re.findall(r'name="site" value="(\w+)"(?: checked)? disabled', page) == [
            "votifier_v1"
        ]
        assert "it needs pip install" in page


def test_a_config_without_these_sections_is_told_how_to_have_them(tmp_path: Path) -> None:
    """As where `guerdon playground` is started alone."""
    text = "[plugins.gamemonitoring]\ntokens = ['a-token-of-production']\n[plugins.gold]\n"
    write_studio_copy(tmp_path, text=text)
    config, _ = read_config(tmp_path / "own.toml")
    with open_page(write_config(config, ADDRESS, tmp_path / "alone.db")) as client:
        page = client.get("/sites").text
        assert page.count("not here: its section is not in the config") == len(SITES)
        assert 'id="no-console"' in page
        assert client.post("/sites/vote", data={"site": "topgg"}).status_code == 400


@contextmanager
def open_page(config: Path) -> Iterator[FlaskClient]:
    """The playground's web on a config, with no service to speak to."""
    guerdon = open_guerdon(config)
    guerdon.migrate()
    stage = Stage(guerdon.config.path, guerdon.rules)
    yield build_playground(guerdon, NOWHERE, ADDRESS, stage).test_client()
    stage.close()
    guerdon.close()


def test_ports_are_free_ones_and_secrets_are_new() -> None:
    first, second = choose_ports(), choose_ports()
    assert first.votifier != first.console
    assert first.secret != second.secret


@pytest.mark.parametrize("value", ['"rcon"', "[1]", '[""]', "1"])
def test_what_consoles_says_is_checked(tmp_path: Path, value: str) -> None:
    (tmp_path / "own.toml").write_text(f"[dispatcher]\nconsoles = {value}\n[plugins.gold]\n")
    (tmp_path / "rewards.toml").write_text("")
    with pytest.raises(ConfigError, match=r"consoles.*true, false, or a list of plugins"):
        open_guerdon(tmp_path / "own.toml")


def test_consoles_of_nobody_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[dispatcher]\nconsoles = ["rcn"]\n[plugins.gold]\n')
    (tmp_path / "rewards.toml").write_text("")
    with pytest.raises(ConfigError, match=r"\[dispatcher\] consoles: no plugin 'rcn'"):
        open_guerdon(tmp_path / "own.toml")
