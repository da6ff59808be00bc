"""/v1/leaderboards and /v1/goals, and a page that shows them in a real browser."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from app import create_app
from app.guerdon import Guerdon
from app.rules.calendar import Unit
from app.testing.gunicorn import Gunicorn
from app.testing.loopback import LoopbackServer
from app.testing.players import add_player
from app.testing.waiting import PATIENCE
from tests.world.books import make_work, settle
from tests.world.browsing import open_chromium
from tests.world.servers import ROOT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE_KEY = "the key of the page"
NOVEMBER = 1_794_000_000_000  # ms; the 6th
RULES = """
[[rules]]
name = "vote party"
on = "server.vote"
party = { every = 5 }
give = [{ reward = "gold", amount = "1.00" }]
"""
KEYS = """
[api]
keys = [
  "sixteen letters!", { name = "page", key = "KEY", scopes = ["boards"] },
  { name = "lobby", key = "the key of the lobby", scopes = ["events"] },
]
web_origins = ["ORIGIN"]
"""


def open_board(
    open_service: Callable[..., Guerdon], origin: str = "http://page.example"
) -> Guerdon:
    guerdon = open_service(rewards=RULES)
    path = guerdon.config.path
    api = KEYS.replace("KEY", PAGE_KEY).replace("ORIGIN", origin)
    path.write_text(re.sub(r"\[api\]\nkeys = .*\n", api, path.read_text()))
    add_player(guerdon, "<b>Eve</b>")
    votes = [("Bob", "1"), ("<b>Eve</b>", "1"), ("<b>Eve</b>", "2"), ("Bob", "1"), ("Bob", "2"), ("Bob", "1"),
             ("<b>Eve</b>", "1")]  # fmt: skip
    for number, (name, server) in enumerate(votes):
        work = make_work(
            f"v{number}", nickname=name, server_id=server, occurred_at=NOVEMBER + number
        )
        assert settle(guerdon, work)[0].state == "settled"
    return guerdon


@pytest.fixture
def ask(open_service: Callable[..., Guerdon], clock: Any) -> Callable[..., Any]:
    clock.now = NOVEMBER + 1000
    guerdon = open_board(open_service)
    client = create_app(guerdon.config.path).test_client()

    def get(path: str, key: str = PAGE_KEY, method: str = "GET", **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {key}", **headers} if key else headers
        return client.open(f"/v1/{path}", method=method, headers=sent)

    return get


def test_it_works(ask: Callable[..., Any]) -> None:
    board = ask("leaderboards/ever").get_json()
    goals = ask("goals").get_json()

    assert board == [
        {"place": 1, "nickname": "Bob", "votes": 4}, {"place": 2, "nickname": "<b>Eve</b>", "votes": 3},
    ]  # fmt: skip
    assert goals == [{"rule": "vote party", "every": 5, "votes": 2, "left": 3, "rounds": 1}]


def test_of_a_period_a_server_and_so_many(ask: Callable[..., Any]) -> None:
    assert [one["votes"] for one in ask("leaderboards/month?period=2026-11").get_json()] == [4, 3]
    assert ask("leaderboards/month?period=2026-10").get_json() == []
    assert [one["votes"] for one in ask("leaderboards/year?period=2026&server=1").get_json()] == [
        3,
        2,
    ]
    assert len(ask("leaderboards/ever?limit=1").get_json()) == 1


def test_a_board_is_counted_anew_every_ten_seconds(
    open_service: Callable[..., Guerdon], clock: Any
) -> None:
    clock.now = NOVEMBER + 1000
    showing = (guerdon := open_board(open_service)).showing

    def read() -> list[int]:
        with guerdon.database.connection_context():
            board = showing.list_board(Unit.EVER, None, None, 10, clock.now)
        return [one["votes"] for one in board]

    assert read() == [4, 3]
    settle(guerdon, make_work("more", nickname="<b>Eve</b>", occurred_at=NOVEMBER))
    clock.advance(9.9)
    assert read() == [4, 3]
    clock.advance(0.1)
    assert read() == [4, 4]


@pytest.mark.parametrize(
    ("path", "status"),
    [("leaderboards/decade", 404), ("leaderboards/month?period=november", 422),
     ("leaderboards/week?period=2026-11-25", 422),
     ("leaderboards/ever?limit=0", 422), ("leaderboards/ever?limit=1000", 422)],
)  # fmt: skip
def test_what_is_no_board(ask: Callable[..., Any], path: str, status: int) -> None:
    answer = ask(path)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_the_key_of_a_page_opens_nothing_else(ask: Callable[..., Any]) -> None:
    assert ask("players/Bob").status_code == 403
    assert ask("events/server.vote/v1").status_code == 403
    assert ask("goals", key="sixteen letters!").status_code == 200
    assert ask("goals", key="the key of the lobby").status_code == 403
    assert ask("goals", key="").status_code == 401


def test_only_pages_that_are_named_may_ask_from_a_browser(ask: Callable[..., Any]) -> None:
    named, other = "http://page.example", "http://other.example"
    allowed = "Access-Control-Allow-Origin"

    assert ask("goals", Origin=named).headers[allowed] == named
    assert ask("goals", Origin=named).headers["Vary"] == "Origin"
    assert allowed not in ask("goals", Origin=other).headers
    assert ask("goals", key="", method="OPTIONS", Origin=named).status_code == 200
    assert ask("goals", key="", method="OPTIONS", Origin=other).status_code == 401
    assert ask("players/Bob", key="", method="OPTIONS", Origin=named).status_code == 401
    assert allowed not in ask("players/Bob", key="sixteen letters!", Origin=named).headers


def test_the_manuals_page_shows_them_in_a_browser(
    open_service: Callable[..., Guerdon], tmp_path: Path
) -> None:
    manual = (ROOT / "docs" / "rules.md").read_text()
    [snippet] = re.findall(r"```html\n(.*?)```", manual, re.DOTALL)
    page = ""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Votes</title>{page}".encode())

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    website = LoopbackServer(Handler)
    guerdon = open_board(open_service, website.url)
    server = Gunicorn(guerdon.config.path)
    server.start()
    page = snippet.replace("https://votes.studio.example", server.url).replace(
        "leaderboards/month", "leaderboards/ever"
    )
    with open_chromium(tmp_path / "profile") as browser:
        browser.get(website.url)
        wait = WebDriverWait(browser, PATIENCE, 0.1)
        read: Callable[[Any], Any] = lambda _: browser.execute_script(  # noqa: E731
            "return [...document.querySelectorAll('li')].map(one => one.textContent)"
        )
        assert wait.until(read) == ["Bob: 4", "<b>Eve</b>: 3"]
        left = "return document.querySelector('#left').textContent"
        assert wait.until(lambda _: browser.execute_script(left)) == "3 votes to the party"
    server.stop()
    website.end()
