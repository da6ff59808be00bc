"""The page for programmes in a browser, and the process in which they are played; its clock."""

import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By

from app.playground.stage_clock import StageClock, Turn, write_moment
from app.porch.errors import GuerdonError
from app.rules.calendar import Calendar
from app.testing.waiting import wait_until
from tests.world.browsing import Page, Running, open_chromium, run_guerdon

CROWN = "1 × crown"  # noqa: RUF001


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("run")) as running:
        running.wait_until_welcome()
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class StagePage(Page):
    """What a person presses on the page."""

    def press(self, id: str) -> None:
        self.browser.find_element(By.ID, id).click()
        self.wait(lambda: not self.browser.find_elements(By.CSS_SELECTOR, "[aria-busy]"))

    def wait_for(self, selector: str, words: str) -> None:
        self.wait(lambda: words in self.read(selector))


@pytest.mark.parametrize("has_script", [True, False])
def test_it_works(chromium: webdriver.Chrome, running: Running, has_script: bool) -> None:
    """From the front page through a month and back, with JavaScript and without."""
    switch = "Emulation.setScriptExecutionDisabled"
    chromium.execute_cdp_cmd(switch, {"value": not has_script})
    try:
        page = StagePage(chromium, running, "/?nickname=Bob")
        chromium.find_element(By.LINK_TEXT, "Programme").click()
        page.wait_for(".clock", "Played: the example programme")
        page.browser.find_element(By.ID, "begin").send_keys("11012026")
        page.press("start")
        page.wait_for("#time", "Sunday 1 November 2026")
        page.press("days")
        page.wait_for("#time", "Sunday 8 November 2026")
        assert CROWN in page.read("[data-player=Bob]")
        page.press("vote-1")
        page.wait_for("[data-player=Alice]", "1 vote, 1 this month, 1 today")
        page.press("everybody")
        page.wait_for(".goal", "1 of 5 votes, 2 rounds paid")
        page.press("turn-month")
        page.wait_for("#time", "Tuesday 1 December 2026, 00:00")
        page.press("turn-hour")
        page.wait_for("[data-player=Bob]", "role champion, until 31 December 2026")
        assert "place 1: Bob" in page.read("#live")
        assert page.measure_on_a_phone() == 360
        chromium.find_element(By.LINK_TEXT, "Votes").click()
        page.wait_for("#player h2", "Bob")
        page.check_quiet()
    finally:
        chromium.execute_cdp_cmd(switch, {"value": False})


def test_the_stage_ends_with_the_playground(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        page = requests.get(f"{running.playground}/programme", timeout=30)
        assert "Played: the example programme" in page.text
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert list(tmp_path.glob("guerdon-stage-*"))
        running.process.terminate()
        running.process.wait()

        wait_until(lambda: not list(tmp_path.glob("guerdon-stage-*")))


def test_the_stage_ends_where_the_playground_is_killed(tmp_path: Path) -> None:
    with run_guerdon(tmp_path) as running:
        running.wait_until_welcome()
        requests.get(f"{running.playground}/programme", timeout=30)
        os.killpg(running.process.pid, signal.SIGKILL)

        wait_until(lambda: not list(tmp_path.glob("guerdon-stage-*")))


def test_a_day_is_a_day_of_the_wall_clock() -> None:
    clock = StageClock()
    clock.begin(Calendar(ZoneInfo("Europe/Berlin")), date(2026, 10, 24))
    clock.turn(Turn.DAY)  # of 25 hours

    assert write_moment(clock.calendar, clock()) == "Sunday 25 October 2026, 12:00"
    clock.turn(Turn.MONTH)
    assert write_moment(clock.calendar, clock()) == "Sunday 1 November 2026, 00:00"
    clock.turn_to("2026-11-01T00:00")
    with pytest.raises(GuerdonError, match="moment: the clock shows a later time"):
        clock.turn_to("2026-10-31T23:59")
