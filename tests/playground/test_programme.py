"""The playground's page for programmes: streaks, parties and rankings, with a clock that is turned."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.guerdon import Guerdon
from app.playground.page import build_playground
from app.playground.stage import EXAMPLE, YOURS, Stage
from app.testing.books import read_books
from app.testing.services import ALL_PLUGINS

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SERVICE, PLAYGROUND = "http://127.0.0.1:9", "http://127.0.0.1:9"
BEGIN = "2026-11-01"
CROWN, CAKE = "1 × crown", "1 × cake"  # noqa: RUF001


class Web:
    """The page as somebody without JavaScript has it."""

    def __init__(self, guerdon: Guerdon, stage: Stage) -> None:
        self.client: FlaskClient = build_playground(
            guerdon, SERVICE, PLAYGROUND, stage
        ).test_client()
        self.status = 0
        self.page = ""

    def press(self, button: str, **fields: Any) -> str:
        """Press a button, and follow the way back; the page."""
        answer = self.client.post(f"/programme/{button}", data=fields, follow_redirects=True)
        self.status, self.page = answer.status_code, answer.text
        return self.page

    def vote(self, nickname: str, **fields: Any) -> str:
        return self.press("vote", nickname=nickname, **fields)

    def turn(self, by: str) -> str:
        return self.press("turn", by=by)

    def look(self) -> str:
        self.page = self.client.get("/programme").text
        return self.page

    def read_player(self, nickname: str) -> str:
        """What the card of a player says."""
        card = re.search(rf'<li class="card" data-player="{nickname}">(.*?)</li>', self.page, re.S)
        assert card, self.page
        return strip_tags(card[1])

    def read_last_vote(self) -> str:
        """What all rules said of it."""
        entries = re.findall(r'<details class="card entry.*?</details>', self.page, re.S)
        return next(said for said in map(strip_tags, entries) if " votes on server " in said)


def strip_tags(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stage's process makes its folder."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    return made


@pytest.fixture
def stage(guerdon: Guerdon, folder: Path) -> Iterator[Stage]:
    """The example programme, from the first of a month on."""
    stage = Stage(guerdon.config.path, guerdon.rules)
    stage.start_over(EXAMPLE, date.fromisoformat(BEGIN))
    yield stage
    stage.close()


@pytest.fixture
def web(guerdon: Guerdon, stage: Stage) -> Web:
    return Web(guerdon, stage)


def test_it_works(web: Web) -> None:
    """A vote a day: the streak of seven days is paid with the seventh, and with no other."""
    for day in range(1, 7):
        web.vote("Alice")
        assert f"a week without a gap day {day} of 7" in web.read_last_vote()
        assert "crown" not in web.read_player("Alice")
        web.turn("day")
    web.vote("Alice")

    assert f"a week without a gap {CROWN}" in web.read_last_vote()
    assert CROWN in web.read_player("Alice")
    assert "7 votes, 7 this month, 1 today" in web.read_player("Alice")
    assert "7 days in a row; breaks on Monday 9 November 2026, 00:00" in web.read_player("Alice")
    web.vote("Alice")
    web.turn("day")
    web.vote("Alice")
    assert CROWN in web.read_player("Alice")
    assert "day 8 of 14" in web.read_last_vote()


def test_a_vote_on_each_of_several_days_is_one_press(web: Web) -> None:
    web.vote("Alice", days=7)

    assert "Sunday 8 November 2026, 12:00" in web.page
    assert CROWN in web.read_player("Alice")
    web.press("vote-all", days=2)
    assert "9 days in a row" in web.read_player("Alice")
    assert "2 days in a row" in web.read_player("Bob")


def test_a_missed_day_breaks_a_streak(web: Web) -> None:
    web.vote("Alice", days=6)
    web.turn("day")
    assert "no days in a row" in web.read_player("Alice")
    web.vote("Alice")

    assert "day 1 of 7" in web.read_last_vote()


def test_a_party_pays_each_voter_once(web: Web) -> None:
    for nickname in ("Alice", "Alice", "Alice", "Bob"):
        web.vote(nickname)
        assert "cake" not in web.read_player(nickname)
    assert "4 of 5 votes, 0 rounds paid" in strip_tags(web.page)
    web.vote("Carol")

    assert "0 of 5 votes, 1 round paid" in strip_tags(web.page)
    for nickname in ("Alice", "Bob", "Carol"):
        assert CAKE in web.read_player(nickname)
        assert f"Party, round 1: {nickname}" in web.page
    assert "cake" not in web.read_player("PlayerName")
    web.turn("day")
    assert CAKE in web.read_player("Alice")


def test_a_ranking_closes_an_hour_after_the_month_and_pays_its_places(web: Web) -> None:
    web.vote("Alice", days=3)
    web.vote("Bob", days=2)
    web.vote("Carol")
    web.turn("month")
    assert "Tuesday 1 December 2026, 00:00" in web.page
    assert "its ranking is closed" not in web.page
    web.turn("hour")

    said = strip_tags(web.page)
    assert "November 2026, closed: 1. Alice (3), 2. Bob (2), 3. Carol (1)" in said
    assert "Alice: 1000.00 gold Alice: role champion, 30 days Bob: 500.00 gold" in said
    assert "role champion, until 31 December 2026, 01:00" in web.read_player("Alice")
    assert said.count("November 2026, place 1: Alice") == 1
    web.turn("hour")
    web.turn("week")
    assert strip_tags(web.page).count("November 2026, place 1: Alice") == 1


def test_the_clock_does_not_go_back_but_by_starting_over(web: Web) -> None:
    web.press("turn-to", moment="2026-11-20T18:30")
    assert "Friday 20 November 2026, 18:30" in web.page
    web.vote("Alice")
    web.press("turn-to", moment="2026-11-20T18:29")

    assert web.status == 400
    assert "moment: the clock shows a later time, and only goes forward" in web.page
    assert "Friday 20 November 2026, 18:30" in web.page
    web.press("start-over", programme="example", begin="2026-02-01")
    assert "Sunday 1 February 2026, 12:00" in web.page
    assert "0 votes" in web.read_player("Alice")
    assert "Nothing yet." in web.page


def test_the_ledger_of_the_service_is_not_touched(web: Web, guerdon: Guerdon) -> None:
    before = read_books(guerdon)
    web.press("vote-all", days=7)
    web.turn("month")
    web.turn("hour")

    assert "role champion" in strip_tags(web.page)
    assert read_books(guerdon) == before
    assert guerdon.find_player("Alice") is None


def test_a_nickname_is_shown_as_text(web: Web) -> None:
    page = web.vote('<img src=x onerror="alert(1)">', site="<b>site</b>")

    assert web.status == 200
    assert "<img src=x" not in page
    assert "<b>site" not in page
    assert page.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") > 3


def test_a_page_from_elsewhere_presses_nothing(web: Web) -> None:
    def press(origin: str) -> int:
        answer = web.client.post(
            "/programme/vote", data={"nickname": "Alice"}, headers={"Origin": origin}
        )
        return answer.status_code

    assert press("https://elsewhere.example") == 403
    web.look()
    assert "0 votes" in web.read_player("Alice")
    assert press("http://localhost") == 303


@pytest.mark.parametrize(
    ("button", "fields", "sentence"),
    [
        ("vote", {"nickname": " "}, "nickname: a nickname has 1 to 255 characters"),
        ("vote", {"nickname": "A" * 256}, "nickname: a nickname has 1 to 255 characters"),
        ("vote", {"nickname": "Eve\u202e"}, "nickname: &#34;Eve\\u202e&#34; is no nickname"),
        ("vote", {"nickname": "Bob", "server": "9" * 101}, "server: it has 1 to 100 characters"),
        ("vote", {"nickname": "Bob", "site": "\0"}, "site: it has at most 100 characters"),
        ("vote", {"nickname": "Bob", "days": "32"}, "days: a whole number from 1 to 31"),
        ("vote-all", {"days": "x"}, "days: a whole number from 1 to 31"),
        ("turn", {"by": "year"}, "by: the clock is turned by one of hour, day, week, month"),
        ("turn", {}, "by: the clock is turned by one of"),
        ("turn-to", {"moment": "soon"}, "moment: it is written as a day and a time"),
        ("turn-to", {"moment": "0001-01-01T00:00"}, "moment: "),
        ("turn-to", {"moment": "2028-11-01T00:00"}, "moment: the clock is turned by 366 days"),
        ("start-over", {"programme": "mine"}, "programme: it is one of yours, example"),
        ("start-over", {"programme": "example", "begin": "now"}, "begin: it is written as"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(
    web: Web, button: str, fields: dict[str, str], sentence: str
) -> None:
    page = web.press(button, **fields)

    assert web.status == 400
    assert sentence in page
    assert "Sunday 1 November 2026, 12:00" in page


def test_a_day_too_far_off_is_refused_and_the_next_who_looks_can_start_over(web: Web) -> None:
    page = web.press("start-over", programme="example", begin="1999-12-31")

    assert web.status == 400
    assert "begin: 1999-12-31 is not between 2000-01-01 and 2099-12-31" in page
    web.press("start-over", programme="example", begin="2099-12-31")
    assert "Thursday 31 December 2099, 12:00" in web.page
    web.turn("day")
    assert "by: the clock ends with 2099-12-31" in web.page


def test_the_stage_has_room_for_so_many(web: Web) -> None:
    for number in range(17):
        web.vote(f"Player{number}")
    assert web.status == 200
    web.vote("OneMore")

    assert "nickname: the stage has room for 20 players" in web.page
    web.vote("Player3")
    assert web.status == 200


def test_tabs_ask_one_after_the_other(web: Web) -> None:
    def vote() -> None:
        web.client.application.test_client().post("/programme/vote", data={"nickname": "Alice"})

    threads = [threading.Thread(target=vote) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    web.look()

    assert "10 votes" in web.read_player("Alice")
    assert "0 of 5 votes, 2 rounds paid" in strip_tags(web.page)
    assert "2 × cake" in web.read_player("Alice")  # noqa: RUF001


def test_a_reloaded_button_leads_back(web: Web) -> None:
    """With JavaScript the address is a button's after one that was refused."""
    answer = web.client.get("/programme/turn?nickname=Bob")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/programme?nickname=Bob")


OWN_RULES = """
[calendar]
time_zone = "Europe/Berlin"

[[rules]]
name = "two days"
on = "server.vote"
server = "survival"
streak = { every = 2 }
give = [{ reward = "vip", days = 1 }]
"""


@pytest.fixture
def own(open_service: Callable[..., Guerdon], folder: Path) -> Iterator[tuple[Guerdon, Stage]]:
    """A studio with a programme of its own."""
    guerdon = open_service(rewards=OWN_RULES, more='[players]\npattern = "[a-z]{3,8}"')
    stage = Stage(guerdon.config.path, guerdon.rules)
    yield guerdon, stage
    stage.close()


def test_a_studio_plays_its_own_rules(own: tuple[Guerdon, Stage]) -> None:
    web = Web(*own)
    web.press("start-over", programme=YOURS, begin=BEGIN)
    assert "Played: your rules" in web.page
    assert "Europe/Berlin" in web.page
    assert "<option>survival</option>" in web.page
    web.vote("Bob")
    assert "nickname: &#34;Bob&#34; is no nickname" in web.page
    web.vote("carol", server="survival")
    web.turn("day")
    web.vote("carol", server="survival")

    assert "two days VIP, 1 day" in web.read_last_vote()
    assert "VIP, until 3 November 2026, 12:00" in web.read_player("carol")
    assert "<option selected>survival</option>" in web.page


def test_a_programme_of_ones_own_is_played_at_first(own: tuple[Guerdon, Stage]) -> None:
    guerdon, stage = own

    assert "Played: your rules" in Web(guerdon, stage).look()


def test_to_start_over_reads_the_rules_anew_and_tells_their_faults(
    own: tuple[Guerdon, Stage],
) -> None:
    guerdon, stage = own
    web, rewards = Web(guerdon, stage), guerdon.config.rewards_file
    web.press("start-over", programme=YOURS)
    assert "every 2nd day in a row" in web.page
    rewards.write_text(OWN_RULES.replace("every = 2", "every = 3"))
    web.press("start-over", programme=YOURS)
    assert "every 3rd day in a row" in web.page
    rewards.write_text(OWN_RULES.replace("every = 2", "every = 0"))
    web.press("start-over", programme=YOURS)

    assert web.status == 400
    assert "rewards.toml" in web.page
    assert "guerdon-stage" not in web.page
    assert "Nothing is played." in web.page
    web.press("start-over", programme=EXAMPLE)
    assert "Played: the example programme" in web.page


@pytest.mark.guerdon(
    rewards='[[rules]]\nname = "code"\non = "server.vote"\ncount = { at = 1 }\n'
    'give = [{ reward = "promo_code", pool = "autumn" }]\n'
)
def test_what_cannot_be_paid_waits_and_says_why(web: Web) -> None:
    web.press("start-over", programme=YOURS)
    web.vote("Alice")

    said = strip_tags(web.page)
    assert "waits Alice votes" in said
    assert "What waits server.vote of Alice: " in said
    assert "autumn" in said
    assert "tried again" in said


SLEEPER = """
import time
from app import hookimpl

@hookimpl
def describe_player(player):
    time.sleep(3600 if player.nickname == "Sleeper" else 0)
    return {"pets": 2}
"""


def test_plugins_of_ones_own_are_played_and_one_that_never_ends_is_ended(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    guerdon = open_service(rewards=OWN_RULES, plugins=ALL_PLUGINS + add_plugin(SLEEPER))
    stage = Stage(guerdon.config.path, guerdon.rules, patience=5)
    web = Web(guerdon, stage)
    web.vote("Alice")
    assert "pets 2" in web.read_player("Alice")
    web.vote("Sleeper")
    assert "the stage did not answer within 5 s, and was emptied" in web.page
    web.look()
    stage.close()

    assert "0 votes" in web.read_player("Alice")


def test_the_stage_goes_with_its_folder_and_begins_anew_where_it_was_killed(
    guerdon: Guerdon, stage: Stage, folder: Path
) -> None:
    web = Web(guerdon, stage)
    web.vote("Alice")
    assert len(list(folder.iterdir())) == 1
    assert stage._process is not None
    os.kill(stage._process.pid, signal.SIGKILL)
    web.look()
    assert "the stage broke off, and was emptied" in web.page
    web.look()
    assert "0 votes" in web.read_player("Alice")
    left = set(folder.iterdir())
    stage.close()

    assert len(set(folder.iterdir()) - left) == 0
    assert len(set(folder.iterdir())) == 1  # of the one that was killed
