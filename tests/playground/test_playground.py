"""The playground as a person has it: `guerdon run`, and a headless Chromium that presses its buttons."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from app.own_signature import sign
from app.playground.gamemonitoring import Platform, build_vote_api
from app.playground.processes import format_address, is_loopback, split_bind
from app.porch.errors import GuerdonError
from app.testing.waiting import PATIENCE, wait_until
from tests.world.browsing import Page, Running, open_chromium, run_guerdon
from tests.world.servers import find_tracebacks


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("run")) as running:
        running.wait_until_welcome()
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class VotePage(Page):
    """What a person presses to vote."""

    def __init__(self, browser: webdriver.Chrome, running: Running, nickname: str) -> None:
        super().__init__(browser, running, f"/?nickname={nickname}")

    def press(self, id: str) -> None:
        """Press a button, and wait for the page to be ready for the next."""
        before = self.count_deliveries()
        WebDriverWait(self.browser, PATIENCE, 0.1, [StaleElementReferenceException]).until(
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

    def read_state(self) -> tuple[str, str]:
        """Status and state of the newest delivery."""
        script = """const newest = document.querySelector("details.entry");
            return [newest.querySelector(".status").innerText, newest.dataset.state]"""
        status, state = self.browser.execute_script(script)
        return status, state


@pytest.fixture
def page(
    chromium: webdriver.Chrome, running: Running, request: pytest.FixtureRequest
) -> Iterator[VotePage]:
    """The page, with a player of the test's own."""
    nickname = re.sub(r"\W", "", request.node.name)[-30:]
    added = requests.post(f"{running.playground}/players", {"nickname": nickname}, timeout=10)
    assert added.status_code == 200
    page = VotePage(chromium, running, nickname)
    yield page
    page.check_quiet()


def test_it_works(page: VotePage) -> None:
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


def test_the_server_decides_what_a_vote_earns(page: VotePage) -> None:
    page.choose("2")
    page.press("vote")
    assert page.read("#vip").startswith("until ")
    assert page.read("#items") == "none yet"


def test_the_same_delivery_again_pays_nothing_more(page: VotePage) -> None:
    page.press("vote")
    page.press("again")
    assert page.read_state() == ("204", "again")
    assert page.read("#gold") == "100.00"
    assert page.read("#grants").startswith("3 lines")


def test_a_wrong_signature_is_refused(page: VotePage) -> None:
    page.press("forged")
    assert page.read_state() == ("401", "refused")
    assert "signature" in page.read(".reply")
    assert page.read("#gold") == "0.00"


def test_a_test_delivery_pays_nothing(page: VotePage) -> None:
    page.press("test")
    assert page.read_state() == ("204", "test")
    assert '"is_test": true' in page.read(".sent")
    assert page.read("#gold") == "0.00"


def test_no_nickname_steers_the_page_and_none_that_is_refused_is_added(running: Running) -> None:
    hostile = "Eve\u202e<b>\x1b\u200b"
    choice = {"nickname": hostile, "server": "1"}

    for path in ("/vote", "/game/level"):
        page = requests.post(
            f"{running.playground}{path}", choice | {"level": "3"}, timeout=30
        ).text
        assert page.count("Eve\\u202e&lt;b&gt;\\x1b\\u200b") >= 3
        # What a form sends is what was typed; nothing else has it so.
        rest = re.sub(r'value="[^"]*"', "", page)
        assert not set("\u202e\x1b\u200b") & set(rest)
    refused = requests.post(f"{running.playground}/players", choice, timeout=10)

    assert refused.status_code == 400
    assert "is no nickname: it holds \\u202e" in refused.text


def test_an_unknown_player_is_paid_once_added(page: VotePage) -> None:
    page.press("stranger")
    assert page.read_state() == ("503", "waiting")
    assert "no player is called" in page.read(".reply")
    assert "Retry-After: 2" in page.read(".reply")
    page.press("add-player")
    page.wait(lambda: page.read_state() == ("503", "healed"))
    page.wait(lambda: page.read("#gold") == "100.00")


def test_a_stranger_is_not_whom_one_plays_with_from_then_on(page: VotePage) -> None:
    """The next vote is one's own again: the vote API's outage heals, though nobody knows the stranger."""
    mine = page.read("#player h2")
    page.press("stranger")
    assert page.browser.find_element(By.ID, "nickname").get_property("value") == mine
    page.press("outage")
    assert mine in page.read(".what small")
    page.wait(lambda: page.read_state() == ("503", "healed"))
    page.wait(lambda: page.read("#gold") == "100.00")


def test_words_that_a_newcomer_cannot_know_are_explained_in_place(page: VotePage) -> None:
    page.browser.find_element(By.CSS_SELECTOR, "#words summary").click()
    for word in ("settle", "held", "attempts", "claim", "dead"):
        assert f"\n{word}\n" in page.read("#words")
    page.press("vote")
    assert page.browser.find_element(By.CSS_SELECTOR, "#words[open]")
    assert page.measure_on_a_phone() == 360


def test_a_vote_heals_by_itself_when_the_vote_api_is_back(page: VotePage) -> None:
    page.press("outage")
    assert page.read_state() == ("503", "waiting")
    assert "The vote API answers 500" in page.read("#failing")
    assert page.read("#gold") == "0.00"
    page.wait(lambda: page.read_state() == ("503", "healed"))
    page.wait(lambda: page.read("#gold") == "100.00")
    assert "retry" in page.read(".timeline")
    page.wait(lambda: page.read("#failing") == "")


def test_a_phone_shows_it_without_scrolling_sideways(page: VotePage) -> None:
    page.press("vote")
    assert page.measure_on_a_phone() == 360


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


def test_a_nickname_is_shown_as_text(page: VotePage) -> None:
    page.browser.get(f"{page.address}/?nickname=<script>alert(1)</script>")
    assert page.read("#player h2") == "<script>alert(1)</script>"
    page.press("vote")
    assert page.read_state() == ("503", "waiting")


def test_ctrl_c_ends_both(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0
        assert running.is_group_gone()
        assert find_tracebacks(running.log.read_text()) == []


def test_a_second_start_finds_what_the_first_left_and_sigterm_ends_both(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    database = f"{tmp_path}/shared.db"
    for directory in (first, second):
        with run_guerdon(directory, GUERDON_PLAYGROUND_DATABASE=database) as running:
            running.wait_until_welcome()
            requests.post(f"{running.playground}/vote", {"nickname": "Alice"}, timeout=10)
            headers = {"Authorization": "Bearer playground-api-key"}
            alice = requests.get(f"{running.service}/v1/players/Alice", headers=headers, timeout=10)
            running.process.terminate()
            assert running.process.wait(PATIENCE) == 0
            assert running.is_group_gone()
    assert alice.json()["gold"] == "200.00"


def test_when_one_dies_the_other_is_ended_too(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        pid = running.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert running.process.wait(PATIENCE) == 1
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
        assert running.process.wait(PATIENCE) == 1
        assert sentence in running.log.read_text()


def test_it_does_not_greet_in_the_name_of_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with run_guerdon(tmp_path, GUERDON_BIND=bind) as running:
            assert running.process.wait(PATIENCE) == 1
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


def test_a_lost_delivery_is_found_by_the_platforms_list_and_paid(page: VotePage) -> None:
    page.browser.find_element(By.ID, "lose").click()
    page.wait(
        lambda: "The next delivery is\nlost" in page.read("#losing").replace(" lost", "\nlost")
    )
    page.press("vote")
    assert page.read_state() == ("\N{EN DASH}", "strayed")
    assert page.read("#losing") == ""
    assert page.read("#gold") == "0.00"
    page.browser.find_element(By.ID, "reconcile").click()
    page.wait(lambda: page.read_state() == ("\N{EN DASH}", "found"))
    page.wait(lambda: page.read("#gold") == "100.00")
    assert "put into the inbox" in page.read("#compared")
    assert "reconciled" in page.read(".timeline")
    assert page.measure_on_a_phone() == 360


def test_lost_deliveries_are_found_without_javascript(running: Running) -> None:
    def press(path: str, **form: str) -> str:
        url = f"{running.playground}/{path}"
        return requests.post(url, {"nickname": "Cleo", **form}, timeout=30).text

    requests.post(f"{running.playground}/players", {"nickname": "Cleo"}, timeout=10)
    assert "The next 3 deliveries are" in press("lose", count="3")
    pages = [press("vote") for _ in range(3)]
    assert pages[-1].count('data-state="strayed"') == 3
    assert re.search(r"(\d+) missing: \1 put into the inbox", press("reconcile"))
    page = f"{running.playground}/?nickname=Cleo"
    wait_until(lambda: requests.get(page, timeout=30).text.count('data-state="found"') >= 3)
    assert "none of them is missing" in press("reconcile")
