"""The playground as a person has it: `guerdon run`, and a headless Chromium that presses its buttons."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flask import Flask
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from app.errors import GuerdonError
from app.playground.gamemonitoring import Platform, build_vote_api, sign
from app.playground.processes import format_address, is_loopback, split_bind
from tests.servers import find_free_port, require

ROOT = Path(__file__).parent.parent
WINDOW = "--window-size=1280,1000"
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip


@dataclass
class Running:
    """A `guerdon run` in a process group of its own."""

    process: subprocess.Popen[bytes]
    service: str
    playground: str
    log: Path

    def wait_until_welcome(self) -> None:
        deadline = time.monotonic() + 60
        while "Ctrl-C ends both" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def is_group_gone(self) -> bool:
        """True when no process is left, not even a worker of gunicorn."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.1)
        return False


@contextmanager
def run_guerdon(directory: Path, **environment: str) -> Iterator[Running]:
    """`guerdon run` with the shipped config, quicker retries, and everything of its own."""
    shutil.copytree(ROOT / "config", directory / "config")
    config = directory / "config" / "guerdon.toml"
    text = re.sub(r"(?m)^retry_delays = .*$", "retry_delays = [2, 2]", config.read_text())
    config.write_text(text)
    ports = find_free_port(), find_free_port()
    service, playground = (f"http://127.0.0.1:{port}" for port in ports)
    names = ("GUERDON_", "GAMEMONITORING_", "WEB_CONCURRENCY", "GUNICORN_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(names)} | {
        "GUERDON_CONFIG": str(config),
        "GUERDON_DATABASE_URL": f"sqlite:///{directory}/guerdon.db",
        "GUERDON_BIND": f"127.0.0.1:{ports[0]}",
        "GUERDON_PLAYGROUND_BIND": f"127.0.0.1:{ports[1]}",
        **environment,
    }
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "run"], cwd=ROOT, env=env,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield Running(process, service, playground, log)
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("run")) as running:
        running.wait_until_welcome()
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require(binary and driver, "chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("chromium")
    for flag in (*FLAGS, WINDOW, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    """What a person sees and presses."""

    def __init__(self, browser: webdriver.Chrome, running: Running, nickname: str) -> None:
        self.browser = browser
        self.nickname = nickname
        self.address = running.playground
        browser.get(f"{running.playground}/?nickname={nickname}")

    def press(self, id: str) -> None:
        """Press a button, and wait for the page to be ready for the next."""
        before = self.count_deliveries()
        WebDriverWait(self.browser, 5, 0.1, [StaleElementReferenceException]).until(
            lambda browser: browser.find_element(By.ID, id).click() is None
        )
        if id != "add-player":
            self.wait(lambda: self.count_deliveries() == before + 1)
        self.wait(lambda: not self.browser.find_elements(By.CSS_SELECTOR, "[aria-busy]"))

    def count_deliveries(self) -> int:
        script = "return document.querySelector('details.entry')?.id ?? 'delivery-0'"
        return int(self.browser.execute_script(script).removeprefix("delivery-"))

    def choose(self, server: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, f"[name=server][value='{server}']").click()

    def read(self, selector: str) -> str:
        """The text of the first such element, read in one step: the page may replace it any time."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def read_state(self) -> tuple[str, str]:
        """Status and state of the newest delivery."""
        script = """const newest = document.querySelector("details.entry");
            return [newest.querySelector(".status").innerText, newest.dataset.state]"""
        status, state = self.browser.execute_script(script)
        return status, state

    def wait(self, condition: object, seconds: float = 20) -> None:
        WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())  # type: ignore[operator]

    def check_quiet(self) -> None:
        """No error in the console, and not one request to anywhere else."""
        assert self.browser.get_log("browser") == []
        for line in self.browser.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                assert url.startswith((self.address, "data:", "chrome:", "about:")), url


@pytest.fixture
def page(
    chromium: webdriver.Chrome, running: Running, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The page, with a player of the test's own."""
    nickname = re.sub(r"\W", "", request.node.name)[-30:]
    added = requests.post(f"{running.playground}/players", {"nickname": nickname}, timeout=10)
    assert added.status_code == 200
    page = Page(chromium, running, nickname)
    yield page
    page.check_quiet()


def test_it_works(page: Page) -> None:
    assert page.read("#gold") == "0.00"
    page.press("vote")
    assert page.read_state() == ("204", "paid")
    page.wait(lambda: page.read("#gold") == "100.00")
    assert page.read("#items") == "1 \N{MULTIPLICATION SIGN} sword"
    assert page.read("#roles").startswith("voter")
    assert '"event_type": "server.vote"' in page.read(".sent")
    assert page.read(".reply") == "204 No Content"
    assert "100.00 gold" in page.read(".grants")
    assert "settled" in page.read(".timeline")


def test_the_server_decides_what_a_vote_earns(page: Page) -> None:
    page.choose("2")
    page.press("vote")
    assert page.read("#vip").startswith("until ")
    assert page.read("#items") == "none yet"


def test_the_same_delivery_again_pays_nothing_more(page: Page) -> None:
    page.press("vote")
    page.press("again")
    assert page.read_state() == ("204", "again")
    assert page.read("#gold") == "100.00"
    assert page.read("#grants").startswith("3 lines")


def test_a_wrong_signature_is_refused(page: Page) -> None:
    page.press("forged")
    assert page.read_state() == ("401", "refused")
    assert "signature" in page.read(".reply")
    assert page.read("#gold") == "0.00"


def test_a_test_delivery_pays_nothing(page: Page) -> None:
    page.press("test")
    assert page.read_state() == ("204", "test")
    assert '"is_test": true' in page.read(".sent")
    assert page.read("#gold") == "0.00"


def test_an_unknown_player_is_paid_once_added(page: Page) -> None:
    page.press("stranger")
    assert page.read_state() == ("503", "waiting")
    assert "no player is called" in page.read(".reply")
    assert "Retry-After: 2" in page.read(".reply")
    page.press("add-player")
    page.wait(lambda: page.read_state() == ("503", "healed"))
    page.wait(lambda: page.read("#gold") == "100.00")


def test_a_vote_heals_by_itself_when_the_vote_api_is_back(page: Page) -> None:
    page.press("outage")
    assert page.read_state() == ("503", "waiting")
    assert "The vote API answers 500" in page.read("#failing")
    assert page.read("#gold") == "0.00"
    page.wait(lambda: page.read_state() == ("503", "healed"))
    page.wait(lambda: page.read("#gold") == "100.00")
    assert "retry" in page.read(".timeline")
    page.wait(lambda: page.read("#failing") == "")


def test_a_phone_shows_it_without_scrolling_sideways(page: Page) -> None:
    page.press("vote")
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        width = page.browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 360


def test_the_buttons_work_without_javascript(running: Running) -> None:
    answer = requests.post(f"{running.playground}/vote", {"nickname": "Bob"}, timeout=10)
    assert answer.history[0].status_code == 303
    assert 'data-state="paid"' in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_pages_from_elsewhere_may_not_press_buttons(running: Running) -> None:
    def press(**headers: str) -> int:
        url = f"{running.playground}/vote"
        return requests.post(url, {"nickname": "Bob"}, headers=headers, timeout=10).status_code

    assert press(Origin="https://elsewhere.example") == 403
    assert press(Host="elsewhere.example") == 400
    assert press(Origin=running.playground) == 200


@pytest.mark.parametrize("choice", [{"nickname": " "}, {"nickname": "Bob", "server": "4"}])
def test_a_choice_that_cannot_be_is_refused(running: Running, choice: dict[str, str]) -> None:
    assert requests.post(f"{running.playground}/vote", choice, timeout=10).status_code == 400


def test_a_nickname_is_shown_as_text(page: Page) -> None:
    page.browser.get(f"{page.address}/?nickname=<script>alert(1)</script>")
    assert page.read("#player h2") == "<script>alert(1)</script>"
    page.press("vote")
    assert page.read_state() == ("503", "waiting")


def test_ctrl_c_ends_both(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(20) == 0
        assert running.is_group_gone()
        assert "Traceback" not in running.log.read_text()


def test_a_second_start_finds_what_the_first_left_and_sigterm_ends_both(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    database = f"sqlite:///{tmp_path}/shared.db"
    for directory in (first, second):
        with run_guerdon(directory, GUERDON_DATABASE_URL=database) as running:
            running.wait_until_welcome()
            requests.post(f"{running.playground}/vote", {"nickname": "Alice"}, timeout=10)
            headers = {"Authorization": "Bearer playground-api-key"}
            alice = requests.get(f"{running.service}/v1/players/Alice", headers=headers, timeout=10)
            running.process.terminate()
            assert running.process.wait(20) == 0
            assert running.is_group_gone()
    assert alice.json()["gold"] == "200.00"


def test_when_one_dies_the_other_is_ended_too(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        pid = running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert running.process.wait(20) == 1
        assert "ended with exit code" in running.log.read_text()
        assert running.is_group_gone()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"GUERDON_PLAYGROUND_BIND": "0.0.0.0:8001"}, "the playground is for this machine"),
        ({"GUERDON_BIND": "0.0.0.0:8000"}, "set GUERDON_API_KEY and GAMEMONITORING_TOKEN yourself"),
        ({"GUERDON_BIND": "nonsense"}, "is not HOST:PORT"),
        ({"GUERDON_CONFIG": "/nowhere.toml"}, "there is no such file"),
    ],
)
def test_it_refuses_to_start(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    with run_guerdon(tmp_path, **environment) as running:
        assert running.process.wait(20) == 1
        assert sentence in running.log.read_text()


def test_it_does_not_greet_in_the_name_of_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with run_guerdon(tmp_path, GUERDON_BIND=bind) as running:
            assert running.process.wait(20) == 1
            assert f"cannot listen on {bind}" in running.log.read_text()


def test_the_stand_in_signs_as_the_document_does() -> None:
    fields = {
        "event_id": "9824cabb-2203-437e-9b6c-aba43dde3e4b",
        "event_type": "server.vote",
        "is_test": False,
    }
    known = "ae83b8aba88a3a9ab3b97b1f6d65664da5628a9cb64d56d5132807bca5472e4f"
    assert sign(fields, "paste-webhook-token-here") == known


def test_the_stand_in_answers_for_its_votes() -> None:
    platform, web = Platform("a token"), Flask("stand-in")
    web.register_blueprint(build_vote_api(platform))
    id_ = platform.record_vote("Alice", 2)
    client = web.test_client()
    vote = client.get(f"/votes/{id_}").get_json()["response"]
    assert (vote["id"], vote["nickname"], vote["server"]["id"]) == (id_, "Alice", 2)
    assert client.get("/votes/unknown").status_code == 404
    platform.fail_for(0.2)
    assert client.get(f"/votes/{id_}").status_code == 500
    time.sleep(0.25)
    assert client.get(f"/votes/{id_}").status_code == 200


def test_binds_are_read_as_gunicorn_reads_them() -> None:
    assert split_bind("[::1]:8000") == ("::1", 8000)
    assert format_address(":8000") == "http://127.0.0.1:8000"
    assert format_address("[::]:8000") == "http://[::1]:8000"
    assert is_loopback("127.0.0.2")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("example.com")
    with pytest.raises(GuerdonError, match="HOST:PORT"):
        split_bind("unix:/run/guerdon.sock")
