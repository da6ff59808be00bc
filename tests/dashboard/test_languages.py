"""Pages in the language of whoever reads them: by the browser, or by the switch, and whole."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.languages import COOKIE
from tests.dashboard.ledgers import Ledger, write_small
from tests.dashboard.screens import SCREENS
from tests.dashboard.test_access import send, sign_in
from tests.world.running_dashboards import USERS

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
IN_CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
SENTENCE = re.compile(r"[A-Za-z]{2,}[,:]? [a-z]{2,}")
READ = (
    "aria-label",
    "title",
    "placeholder",
    "alt",
    "data-text",
    "data-ended",
    "data-local",
    "data-switch",
)
DATA = ("pre", "code", "time", "script")  # what others wrote, beside some of what stands in "bdi"
# Names that a studio gave, and what a person or a platform wrote.
WRITTEN = (
    "every vote",
    "Robert said so",
    "state:dead",
    "server.vote v0",
    "claim_queue, gamemonitoring, gold, items, promo_codes, roles, vip",
)


class Words(HTMLParser):
    """The words of a page that are ours: texts and what is read aloud or shown on pointing."""

    def __init__(self, page: str, data: tuple[str, ...] = DATA) -> None:
        super().__init__()
        self.data = data
        self.inside: list[str] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.data:
            self.inside.append(tag)
        self.said += [value for name, value in attrs if name in READ and value]

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside and data.strip():
            self.said.append(data.strip())


def read_language(page: str) -> str:
    found = re.search(r'<html lang="([^"]+)"', page)
    assert found
    return found[1]


@pytest.fixture
def ledger(guerdon: Guerdon) -> Ledger:
    return write_small(guerdon)


def test_it_works(client: Any, ledger: Ledger) -> None:
    sign_in(client)
    assert "Votes can be paid." in client.get("/").text

    page = client.get("/", headers=IN_CHINESE).text

    assert "投票奖励发放正常。" in page
    assert read_language(page) == "zh-Hans-CN"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("zh", "zh-Hans-CN"), ("zh-CN", "zh-Hans-CN"), ("zh-Hans", "zh-Hans-CN"),
        ("zh-Hans-CN,en", "zh-Hans-CN"),
        ("fr,zh;q=0.5", "zh-Hans-CN"), ("en-GB,zh;q=0.9", "en"), ("zh;q=0.4,en;q=0.8", "en"),
        ("zh;q=0", "en"),
        ("zh-TW", "en"), ("zh-Hant", "en"), ("de", "en"), ("*", "en"), ("", "en"), (";;=,\u00e9", "en"),
    ],
)  # fmt: skip
def test_the_browser_says_the_language(client: Any, asked: str, language: str) -> None:
    answer = client.get("/sign-in", headers={"Accept-Language": asked})

    assert read_language(answer.text) == language
    assert "Accept-Language" in answer.headers["Vary"]


def test_the_switch_is_remembered_and_leads_back(client: Any, ledger: Ledger) -> None:
    """By the link that stands on the page, also for whom nobody knows yet."""
    page = client.get("/sign-in?next=/rules").text
    link = re.search(r'href="(/language[^"]+)"', page)
    assert link

    answer = client.get(link[1].replace("&amp;", "&"))

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/rules"
    assert read_language(client.get("/sign-in", headers={"Accept-Language": "en"}).text) != "en"
    client.get("/language?to=en")
    assert read_language(client.get("/sign-in", headers=IN_CHINESE).text) == "en"


def test_the_switch_leads_nowhere_else_and_keeps_no_other_word(client: Any) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = client.get("/language", query_string={"to": "xx", "next": elsewhere})
        assert answer.headers["Location"] == "/"
        assert COOKIE not in answer.headers.get("Set-Cookie", "")
    client.set_cookie(COOKIE, "../../etc")
    assert read_language(client.get("/sign-in").text) == "en"


@pytest.mark.parametrize("screen", [*SCREENS, "sign in"])
def test_a_page_in_chinese_has_no_english_sentence(
    client: Any, ledger: Ledger, screen: str
) -> None:
    address = "/sign-in"
    if screen != "sign in":
        sign_in(client)
        address = SCREENS[screen](ledger)

    page = client.get(address, headers=IN_CHINESE).text

    said = Words(page).said
    assert any("\u4e00" <= sign <= "\u9fff" for text in said for sign in text)
    for written in WRITTEN:
        said = [text.replace(written, "") for text in said]
    assert [text for text in said if SENTENCE.search(text)] == []


def test_an_act_that_is_refused_says_so_in_chinese(client: Any, ledger: Ledger) -> None:
    """In the words of a chapter that knows no languages."""
    sign_in(client)

    answer = send(client, "/acts", "/act/stop", {"id": str(ledger.act)}, headers=IN_CHINESE)

    assert answer.status_code == 409
    said = Words(answer.text).said
    assert [text for text in said if SENTENCE.search(text)] == []
    assert any("无法停止" in text for text in said), said
