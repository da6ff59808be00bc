"""The playground in the language of whoever reads it: by the browser, or by the switch, and whole."""

import re
from collections.abc import Iterator

import pytest
import requests
from selenium.webdriver.common.by import By

from app.testing.waiting import wait_until
from tests.dashboard.looking import AXE
from tests.dashboard.test_languages import DATA, IN_CHINESE, SENTENCE, Words, read_language
from tests.world.browsing import Page, Running, open_chromium, run_guerdon

PAGES = ("/", "/sites", "/programme", "/game", "/framed", "/framed/game")
GIVEN = re.compile(
    r"(gamemonitoring|topgg|votifier|pingbacks) server\.vote|\{.*?\}\}|令牌(为)? [\w ]+"
    r"|\u00d7 .*|“.*?”|发放 .*|通过 .*| of \w+"
)  # names and parameters, as the rules' file and the sources have them
OURS = (
    "data-left",
    "data-over",
    "data-one",
    "data-more",
    "data-yes",
    "data-no",
    "data-failed",
    "data-waiting",
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("languages")) as running:
        running.wait_until_welcome()
        for path, form in (
            ("/vote", {}),
            ("/stranger", {}),
            ("/game/level", {"level": "9"}),
            ("/lose", {}),
            ("/vote", {}),
        ):
            requests.post(
                running.playground + path, {"nickname": "Alice", "server": "1", **form}, timeout=30
            )
        for path, form in (
            ("/online", {"online": "no"}),
            ("/vote", {}),
            ("/vote", {"site": "votifier_v1"}),
            ("/forged", {"site": "votifier_v2"}),
            ("/console", {"way": "cut_after"}),
            ("/vote", {"nickname": "Bob", "site": "pingback"}),
            ("/again", {"nickname": "Bob", "site": "pingback"}),
        ):
            wish = {"nickname": "Alice", "site": "topgg", **form}
            requests.post(f"{running.playground}/sites{path}", wish, timeout=30)
        wait_until(lambda: 'data-state="unknown"' in read(running, "/sites"))
        requests.post(running.playground + "/programme/vote", {"nickname": "Alice"}, timeout=90)
        yield running


def read(running: Running, path: str, **headers: str) -> str:
    return requests.get(running.playground + path, headers=headers, timeout=90).text


def test_it_works(running: Running) -> None:
    assert read_language(read(running, "/")) == "en"

    page = read(running, "/", **IN_CHINESE)

    assert read_language(page) == "zh-Hans-CN"
    assert "投一票" in page
    assert "金币" in page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_chinese_has_no_english_sentence(running: Running, path: str) -> None:
    page = read(running, path, **IN_CHINESE)

    said = Words(page, (*DATA, "bdi")).said + re.findall(rf'(?:{"|".join(OURS)})="([^"]*)"', page)
    assert any("一" <= sign <= "鿿" for text in said for sign in text)
    assert [text for text in said if SENTENCE.search(GIVEN.sub("", text))] == []


def test_the_switch_is_remembered_and_leads_back_and_nowhere_else(running: Running) -> None:
    with requests.Session() as session:
        page = session.get(running.playground + "/game?nickname=Bob&server=2", timeout=30).text
        link = re.search(r'href="(/language[^"]+)"', page)
        assert link
        answer = session.get(running.playground + link[1].replace("&amp;", "&"), timeout=30)
        assert answer.url == running.playground + "/game?nickname=Bob&server=2"
        assert read_language(answer.text) == "zh-Hans-CN"
        for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
            wanted = {"to": "xx", "next": elsewhere}
            answer = session.get(
                running.playground + "/language", params=wanted, timeout=30, allow_redirects=False
            )
            assert answer.headers["Location"] == "/"


def test_a_browser_votes_in_chinese(
    running: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By its buttons, with the words that JavaScript writes, and with nothing for axe to find."""
    with open_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": IN_CHINESE})
        page = Page(browser, running, "/?nickname=Alice")
        browser.find_element(By.ID, "vote").click()
        page.wait(lambda: "已发放" in page.read("#said"))
        assert "Alice" in page.read("#live")
        page.check_quiet()
        for path in PAGES[:5]:
            page = Page(browser, running, path)
            assert page.measure_on_a_phone() <= 360
            browser.execute_script(AXE)
            found = browser.execute_async_script(
                "const done = arguments[0]; axe.run(document, {runOnly: {type: 'tag',"
                " values: ['wcag2a', 'wcag2aa', 'wcag21aa']}}).then("
                "(all) => done(all.violations.map((one) => [one.id, one.nodes[0].html])))"
            )
            assert found == []
