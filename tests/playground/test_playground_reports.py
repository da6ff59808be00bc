"""The playground's game server, the platforms it stands in for, and the page that frames a game."""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from app.opening import open_guerdon
from app.playground import g123, sud
from app.playground.actions import list_targets
from app.playground.g123 import G123, build_g123
from app.playground.sud import AppServer, build_app_server
from app.testing.waiting import wait_until
from app.web.examples import LEVEL_UP
from tests.world.browsing import Page, Running, open_chromium, run_guerdon
from tests.world.servers import ROOT

API_KEY = "playground-api-key"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("run")) as running:
        running.wait_until_welcome()
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def nickname(running: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    """A player of the test's own; after the test all platforms answer well again."""
    nickname = re.sub(r"\W", "", request.node.name)[-30:]
    requests.post(f"{running.playground}/players", {"nickname": nickname}, timeout=10)
    yield nickname
    behave(running, G123="well", Sud="well")


def behave(running: Running, **ways: str) -> int:
    return requests.post(f"{running.playground}/game/behave", ways, timeout=10).status_code


class GamePage(Page):
    """What a person presses as a game server."""

    def press(self, id: str) -> None:
        """Press a button, and wait until what it told is on the page."""
        before = self.count_told()
        self.wait_until_ready()
        self.browser.find_element(By.ID, id).click()
        self.wait(lambda: self.count_told() == before + 1)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.wait(lambda: not self.browser.find_elements(By.CSS_SELECTOR, "[aria-busy]"))

    def count_told(self) -> int:
        script = "return document.querySelector('details.entry')?.id ?? 'told-0'"
        return int(self.browser.execute_script(script).removeprefix("told-"))

    def choose(self, platform: str, way: str) -> None:
        """Choose how a platform answers; it does so at once, and the page says so."""
        self.wait_until_ready()
        Select(self.browser.find_element(By.ID, platform)).select_by_value(way)
        self.wait(lambda: bool(self.read(f"#way-{platform}")) == (way != "well"))

    def read_state(self) -> tuple[str, str, int]:
        """Status, state and sends of what was told last."""
        script = """const newest = document.querySelector("details.entry");
            return [newest.querySelector(".status").innerText, newest.dataset.state,
                    Number(newest.dataset.sends)]"""
        status, state, sends = self.browser.execute_script(script)
        return status, state, sends

    def count_attempts(self, result: str) -> int:
        script = (
            "return document.querySelector('details.entry').querySelectorAll(arguments[0]).length"
        )
        return int(self.browser.execute_script(script, f".attempt.{result}"))


@pytest.fixture
def page(chromium: webdriver.Chrome, running: Running, nickname: str) -> Iterator[GamePage]:
    page = GamePage(chromium, running, f"/game?nickname={nickname}")
    yield page
    page.check_quiet()


def read_level(page: GamePage) -> str:
    return str(page.browser.find_element(By.ID, "level").get_property("value"))


def test_it_works(page: GamePage) -> None:
    assert read_level(page) == "9"
    page.press("reach")
    assert page.read_state() == ("200", "delivered", 1)
    assert page.read("#gold") == "0.00"
    assert "25.00 gold" in page.read("#earns")
    page.press("reach")
    assert page.read("#gold") == "25.00"
    assert "25.00 gold" in page.read(".grants")
    assert '"action": "game_event_created"' in page.read(".platform")
    assert "send 1 answered 200" in page.read(".attempt")
    assert read_level(page) == "11"


def test_a_round_is_started_and_settled_and_its_winner_paid(page: GamePage) -> None:
    page.press("start")
    assert page.read_state() == ("200", "delivered", 1)
    assert '"ret_code": 0' in page.read(".platform")
    round_id = page.read("#round").split()[1]
    page.press("settle")
    assert page.read_state() == ("200", "delivered", 1)
    assert f'"game_round_id": "{round_id}"' in page.read(".sent")
    assert page.read("#gold") == "50.00"
    assert "No round is being played" in page.read("#round")
    page.browser.find_element(By.CSS_SELECTOR, "[name=rank] [value='2']").click()
    page.press("settle")
    assert page.read_state() == ("200", "delivered", 1)
    assert page.read("#gold") == "50.00"


def test_a_second_settle_is_seen_to_be_a_new_round_and_the_same_again_pays_nothing(
    page: GamePage,
) -> None:
    page.press("start")
    assert page.read("#settle") == "Settle this round"
    page.press("settle")
    first = page.read(".what b")
    assert (page.read("#settle"), page.read("#gold")) == ("Settle a new round", "50.00")
    assert "makes up a new one, which is paid too" in page.read("#round")
    page.press("settle")
    assert page.read("#gold") == "100.00"
    second = page.read(".what b")
    assert [title.partition(" ends: ")[2] for title in (first, second)] == [
        f"{page.read('#player h2')} comes in as number 1"
    ] * 2
    assert first != second
    page.browser.find_element(By.CSS_SELECTOR, "details.entry [name=number]").click()
    page.wait(lambda: page.read_state() == ("200", "again", 1))
    assert page.read("#gold") == "100.00"


def test_no_press_is_lost_while_another_waits_for_its_answer(page: GamePage) -> None:
    page.choose("G123", "silence")
    before = page.count_told()
    for button in ("reach", "start", "settle"):
        page.browser.find_element(By.ID, button).click()
    assert "has not answered yet; 2 more presses wait" in page.read("#queue")
    page.wait(lambda: page.count_told() == before + 3)
    page.wait_until_ready()
    assert page.read("#queue") == ""
    script = "return [...document.querySelectorAll('.what b')].map((one) => one.innerText)"
    last, middle, first = page.browser.execute_script(script)[:3]
    assert (first, middle.split()[2], last.split()[2]) == ("Level 9", "begins", "ends:")
    assert middle.split()[1] == last.split()[1]


def test_a_claim_is_fetched_lost_fetched_again_and_given_out(
    page: GamePage, running: Running, nickname: str
) -> None:
    vote = {"nickname": nickname, "server": "2"}
    requests.post(f"{running.playground}/vote", vote, timeout=30)
    page.browser.get(f"{page.address}/game?nickname={nickname}&server=2")
    Select(page.browser.find_element(By.NAME, "lease")).select_by_value("5")
    page.browser.find_element(By.ID, "fetch").click()
    page.wait(lambda: page.read(".claim .badge") == "leased")
    assert f'"to": "{nickname}"' in page.read(".claim pre")
    assert re.search(r"The lease ends: in \d s", page.read(".claim .verdict"))

    page.wait(lambda: page.read(".claim .badge") == "lease over")  # the game server forgot it
    page.browser.find_element(By.ID, "fetch").click()
    page.wait(lambda: page.read(".claim .badge") == "leased")
    page.wait_until_ready()
    page.browser.find_element(By.NAME, "claim").click()
    page.wait(lambda: page.read(".claim .badge") == "given out")
    assert page.measure_on_a_phone() == 360
    page.browser.find_element(By.ID, "fetch").click()
    page.wait(lambda: "Nothing waits for server 2" in page.read("#no-claims"))
    assert page.read(".claim .badge") == "given out"


def test_an_acknowledgement_of_a_lease_that_is_anothers_by_now_is_refused(
    page: GamePage, running: Running, nickname: str
) -> None:
    vote = {"nickname": nickname, "server": "2"}
    requests.post(f"{running.playground}/vote", vote, timeout=30)
    page.browser.get(f"{page.address}/game?nickname={nickname}&server=2")
    Select(page.browser.find_element(By.NAME, "lease")).select_by_value("5")
    page.browser.find_element(By.ID, "fetch").click()
    page.wait(lambda: page.read(".claim .badge") == "lease over")
    wanted = {"server_id": "2", "limit": 10, "seconds": 300}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    url = f"{running.service}/v1/claims/lease"
    other = requests.post(url, json=wanted, headers=headers, timeout=30).json()["claims"]
    assert [claim["nickname"] for claim in other] == [nickname]
    page.browser.find_element(By.NAME, "claim").click()
    page.wait(lambda: page.read(".claim .badge") == "refused")
    assert "somebody else's by now" in page.read(".claim .verdict")


def test_words_of_platforms_and_claims_are_explained_in_place(page: GamePage) -> None:
    page.browser.find_element(By.CSS_SELECTOR, "#words summary").click()
    for word in ("uid", "ctwid", "settle", "attempts", "lease"):
        assert f"\n{word}\n" in page.read("#words")


@pytest.mark.parametrize(
    ("platform", "way", "button", "wrong"),
    [
        ("G123", "500", "reach", "it answered 500"),
        ("G123", "silence", "reach", "no whole answer within 2 s"),
        ("Sud", "ret_code", "start", "ret_code 1: not now"),
        ("Sud", "silence", "start", "no whole answer within 2 s"),
    ],
)
def test_a_failed_report_is_seen_and_counted_and_sent_again(
    page: GamePage, platform: str, way: str, button: str, wrong: str
) -> None:
    page.choose(platform, way)
    page.press(button)
    status, state, _ = page.read_state()
    assert (status, state) == ("202", "flying")
    page.wait(lambda: wrong in page.read(".wrong"))
    assert page.count_attempts("failed") >= 1
    page.choose(platform, "well")
    page.wait(lambda: page.read_state()[1] == "delivered")
    _, _, sends = page.read_state()
    assert sends == page.count_attempts("failed") + page.count_attempts("delivered")
    assert page.count_attempts("delivered") == 1
    assert page.read(".badge") == f"delivered · {sends} sends"
    assert page.read(".wrong") == ""


def test_a_pause_is_as_long_as_retry_after_says(page: GamePage) -> None:
    page.choose("G123", "429")
    page.press("reach")
    assert page.read_state()[:2] == ("202", "flying")
    page.wait(lambda: page.count_attempts("failed") == 2)
    assert "it answered 429" in page.read(".wrong")
    script = "return [...document.querySelectorAll('.attempt time')].map((one) => one.dateTime)"
    first, second = (
        time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:23])
        for text in page.browser.execute_script(script)[:2]
    )
    assert 4 <= second - first < 8


def test_wrong_credentials_end_a_report_at_once(page: GamePage) -> None:
    page.choose("G123", "401")
    page.press("reach")
    page.wait(lambda: page.read_state() == ("202", "dead", 1))
    assert "are the credentials right?" in page.read(".wrong")
    assert "guerdon reports retry" in page.read(".verdict")


def test_the_same_event_again_is_paid_and_reported_once(
    page: GamePage, running: Running, nickname: str
) -> None:
    page.browser.find_element(By.ID, "level").clear()
    page.browser.find_element(By.ID, "level").send_keys("40")
    page.press("reach")
    assert len(read_replies(running, nickname)) == 1
    page.browser.find_element(By.CSS_SELECTOR, "details.entry [name=number]").click()
    page.wait(lambda: page.read_state() == ("200", "again", 1))
    assert len(read_replies(running, nickname)) == 1
    assert page.read("#gold") == "25.00"


def test_a_level_of_an_unknown_player_waits_with_its_report(page: GamePage) -> None:
    nickname = page.browser.find_element(By.ID, "nickname")
    stranger = f"Newcomer{time.time_ns()}"
    nickname.clear()
    nickname.send_keys(f"{stranger}\t")
    page.wait(lambda: page.read("#player h2") == stranger)
    page.browser.find_element(By.ID, "level").clear()
    page.browser.find_element(By.ID, "level").send_keys("10")
    page.press("reach")
    assert page.read_state() == ("202", "waiting", 0)
    assert "no player" in page.read(".verdict")
    page.browser.find_element(By.ID, "add-player").click()
    page.wait(lambda: page.read_state() == ("202", "delivered", 1))
    page.wait(lambda: page.read("#gold") == "25.00")
    assert page.browser.current_url.startswith(f"{page.address}/game?")


def test_votes_and_reports_are_seen_side_by_side(page: GamePage) -> None:
    page.press("reach")
    page.browser.find_element(By.LINK_TEXT, "Votes").click()
    page.wait(lambda: "Level 9" in page.read("#reports li"))
    assert "delivered · 1 send" in page.read("#reports li")
    assert page.measure_on_a_phone() == 360


def test_a_phone_shows_reports_without_scrolling_sideways(page: GamePage) -> None:
    page.press("settle")
    assert page.measure_on_a_phone() == 360


def test_the_game_servers_buttons_work_without_javascript(running: Running, nickname: str) -> None:
    def press(button: str, **form: str) -> requests.Response:
        url = f"{running.playground}/game/{button}"
        return requests.post(url, {"nickname": nickname, **form}, timeout=10)

    reached = press("level", level="12")
    assert reached.history[0].status_code == 303
    assert 'data-state="delivered"' in reached.text
    assert 'data-state="delivered"' in press("settle", rank="1").text
    assert behave(running, Sud="500") == 200
    started = press("start").text
    assert "load this page again" in started
    assert "default-src 'self'; form-action" in reached.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("level", {"level": "-1"}), ("level", {"level": "many"}), ("level", {"level": str(2**31)}),
        ("level", {"level": "1", "server": "4"}), ("behave", {"G123": "ret_code"}),
    ],
)  # fmt: skip
def test_what_no_game_server_would_tell_is_refused(
    running: Running, path: str, form: dict[str, str]
) -> None:
    url = f"{running.playground}/game/{path}"
    assert requests.post(url, form, timeout=10).status_code == 400


class FramedPage(Page):
    """The page that frames a game."""

    def reach_level(self, as_string: bool = False) -> dict[str, Any]:
        """Press the game's button; Guerdon's answer, once the page has got its message."""
        script = """window.seen = [];
            addEventListener("message", (event) => window.seen.push(event.data));"""
        self.browser.execute_script(script)
        self.browser.switch_to.frame("game")
        if as_string:
            self.browser.find_element(By.ID, "as-string").click()
        self.browser.find_element(By.ID, "reach").click()
        self.browser.switch_to.default_content()
        self.wait(lambda: "exactly" in self.read("#verdict"))
        answer: dict[str, Any] = json.loads(self.read_in_game("#answer"))
        return answer

    def read_in_game(self, selector: str) -> str:
        self.browser.switch_to.frame("game")
        text = self.read(selector)
        self.browser.switch_to.default_content()
        return text

    def read_messages(self) -> list[Any]:
        """The data of each message event, as the browser has it."""
        seen: list[Any] = self.browser.execute_script("return window.seen")
        return seen


@pytest.fixture
def framed(chromium: webdriver.Chrome, running: Running, nickname: str) -> Iterator[FramedPage]:
    chromium.get_log("performance")
    yield FramedPage(chromium, running, f"/framed?nickname={nickname}")
    assert chromium.get_log("browser") == []


def read_replies(running: Running, nickname: str) -> list[dict[str, str]]:
    """What the stand-in for G123 got about a player and answered, the latest first."""
    replies = requests.get(f"{running.playground}/framed/replies", timeout=10).json()
    return [one for one in replies if json.loads(one["body"])["uid"] == nickname]


@pytest.mark.parametrize("as_string", [False, True], ids=["object", "string"])
def test_level_up_reply_answer_and_message_carry_the_same_object(
    framed: FramedPage, running: Running, nickname: str, as_string: bool
) -> None:
    answer = framed.reach_level(as_string)

    [recorded] = read_replies(running, nickname)
    reply = json.loads(recorded["reply"])
    assert set(reply) == {"action", "id", "token"}
    assert answer["event"]["id"] == f"{nickname}:1:{json.loads(recorded['body'])['level']}"
    assert [report["response"] for report in answer["reports"]] == [reply]
    [message] = framed.read_messages()
    assert type(message) is (str if as_string else dict)
    assert (json.loads(message) if as_string else message) == reply
    shown = json.loads(framed.read("#message"))
    assert (shown, framed.read("#platform")) == (reply, recorded["reply"])
    assert framed.read("#kind") == ("a string" if as_string else "an object")


def test_the_reply_reaches_the_page_late_where_the_platform_failed_first(
    framed: FramedPage, running: Running, nickname: str
) -> None:
    assert behave(running, G123="500") == 200
    framed.browser.switch_to.frame("game")
    framed.browser.find_element(By.ID, "reach").click()
    framed.wait(lambda: "has not replied yet" in framed.read("#state"))
    framed.browser.switch_to.default_content()
    assert "game_event_created" not in framed.read("#message")
    assert behave(running, G123="well") == 200
    framed.wait(lambda: "exactly" in framed.read("#verdict"))
    assert framed.read("#platform") == read_replies(running, nickname)[0]["reply"]


def test_the_key_never_reaches_the_browser_and_only_one_script_is_not_ours(
    framed: FramedPage, running: Running
) -> None:
    framed.reach_level()

    asked = framed.list_requests()
    assert API_KEY not in json.dumps(asked)
    assert "Authorization" not in json.dumps(asked)
    assert API_KEY not in framed.browser.page_source
    own = (running.playground, "data:", "chrome:", "about:")
    foreign = {one["url"] for one in asked if not one["url"].startswith(own)}
    assert foreign == {f"{running.service}/static/guerdon-g123.js"}


def test_a_phone_shows_the_framed_game_without_scrolling_sideways(framed: FramedPage) -> None:
    framed.reach_level()
    assert framed.measure_on_a_phone() == 360


def test_only_the_game_may_be_framed_and_run_the_services_script(running: Running) -> None:
    def read_policy(path: str) -> str:
        headers = requests.get(f"{running.playground}{path}", timeout=10).headers
        return str(headers["Content-Security-Policy"])

    game = read_policy("/framed/game")
    assert "frame-ancestors 'self'" in game
    assert f"script-src 'self' {running.service};" in game
    for path in ("/", "/game", "/framed", "/framed/replies"):
        assert "frame-ancestors 'none'" in read_policy(path)
        assert running.service not in read_policy(path)


def test_guerdon_itself_serves_the_script(running: Running) -> None:
    answer = requests.get(f"{running.service}/static/guerdon-g123.js", timeout=10)

    assert answer.status_code == 200
    assert "javascript" in answer.headers["Content-Type"]
    assert answer.content == (ROOT / "app" / "static" / "guerdon-g123.js").read_bytes()


# The stand-ins.

SETTLE: dict[str, Any] = {
    "report_type": "game_settle",
    "report_msg": {
        "mg_id": 1461227817776713818,
        "mg_id_str": "1461227817776713818",
        "room_id": "xxx123",
        "game_mode": 1,
        "game_round_id": "ce56b6lzi1a7",
        "battle_start_at": 1638845715,
        "battle_end_at": 1638845720,
        "battle_duration": 5,
        "results": [
            {"uid": "u2", "rank": 1, "is_escaped": 0, "is_ai": 0, "is_win": 1},
            {"uid": "", "rank": 2, "is_escaped": 0, "is_ai": 1},
        ],
        "report_game_info_extras": "custom param",
    },
    "uid": "u1",
    "ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb",
}
GONE = object()


def change(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The body with another value at a path of keys and numbers, or with none."""
    changed: dict[str, Any] = json.loads(json.dumps(body))
    place: Any = changed
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in way:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.fixture
def platform() -> G123:
    return G123("app", "secret")


@pytest.fixture
def app_server() -> AppServer:
    return AppServer("1461564080052506636", "guerdon-demo-secret")


@pytest.fixture
def web(platform: G123, app_server: AppServer) -> FlaskClient:
    flask = Flask("stand-ins")
    flask.register_blueprint(build_g123(platform))
    flask.register_blueprint(build_app_server(app_server))
    return flask.test_client()


def level_up(web: FlaskClient, body: Any, user: str = "app:secret", scheme: str = "Basic") -> Any:
    basic = f"{scheme} {base64.b64encode(user.encode()).decode()}"
    data = body if isinstance(body, bytes) else json.dumps(body)
    return web.post(g123.PATH, data=data, headers={"Authorization": basic})


def report(web: FlaskClient, body: Any, **headers: str) -> Any:
    """The reply to a signed report; `headers` replace those of the signature."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    app_id, stamp, nonce = "1461564080052506636", "1646382565", "keVJLJTItd1VBtGT"
    signed = {
        "Sud-AppId": app_id,
        "Sud-Timestamp": stamp,
        "Sud-Nonce": nonce,
        "Sud-Signature": sud.sign("guerdon-demo-secret", app_id, stamp, nonce, data),
    }
    changes = {f"Sud-{name}": value for name, value in headers.items()}
    response = web.post(sud.PATH, data=data, headers=signed | changes)
    assert response.status_code == 200
    return response.get_json()


def test_g123_answers_in_the_form_of_the_sample(web: FlaskClient, platform: G123) -> None:
    first, second = level_up(web, LEVEL_UP), level_up(web, LEVEL_UP)

    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    sample = rf'{{"action": "game_event_created", "id": "1", "token": "{uuid}"}}'
    assert re.fullmatch(sample, first.text)
    assert first.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert second.get_json()["id"] == "2"
    assert [call.reply for call in platform.calls] == [first.text, second.text]
    renamed = change(change(LEVEL_UP, "server_id", GONE), "game_server_id", "s73")
    assert level_up(web, renamed).status_code == 200


@pytest.mark.parametrize(
    ("user", "scheme"),
    [("app :secret", "Basic"), ("app:wrong", "Basic"), ("app:secret", "Bearer"), ("", "Basic")],
)
def test_g123_refuses_wrong_credentials(web: FlaskClient, user: str, scheme: str) -> None:
    assert level_up(web, LEVEL_UP, user, scheme).status_code == 401
    assert web.post(g123.PATH, json=LEVEL_UP).status_code == 401
    not_base64 = web.post(g123.PATH, json=LEVEL_UP, headers={"Authorization": "Basic é"})
    assert not_base64.status_code == 401


@pytest.mark.parametrize("value", [GONE, None, [], ""], ids=["gone", "null", "list", "empty"])
@pytest.mark.parametrize("field", [*g123.FIELDS, "server_id"])
def test_g123_refuses_what_lacks_a_field(web: FlaskClient, field: str, value: Any) -> None:
    response = level_up(web, change(LEVEL_UP, field, value))

    assert response.status_code == 400
    assert field in response.get_json()["error"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"\xff", change(LEVEL_UP, "level", True), change(LEVEL_UP, "level", "10"),
     change(LEVEL_UP, "timestamp", 1.5), change(LEVEL_UP, "game_server_id", "s74")],
)  # fmt: skip
def test_g123_refuses_what_is_no_level_up(web: FlaskClient, body: Any) -> None:
    assert level_up(web, body).status_code == 400


def test_the_app_signs_as_the_document_does() -> None:
    known = "1e95fe5ced8e0da93282c88b9a93b14b5088ccf4"
    stamp, nonce = "1646382565", "keVJLJTItd1VBtGT"
    body = b'{"report_type":"game_start"}'
    assert sud.sign("guerdon-demo-secret", "1461564080052506636", stamp, nonce, body) == known


def test_the_app_takes_a_start_and_a_settle(web: FlaskClient) -> None:
    fine = {"ret_code": 0, "ret_msg": "", "data": {}}
    start = change(change(SETTLE, "report_type", "game_start"), "report_msg.results", GONE)
    start = change(start, "report_msg.players", [{"uid": "u1", "is_ai": 0}])
    assert report(web, SETTLE) == report(web, SETTLE) == report(web, start) == fine


@pytest.mark.parametrize(
    "headers",
    [{"Signature": "0" * 40}, {"Signature": ""}, {"AppId": "other"}, {"Timestamp": "1646382566"},
     {"Timestamp": "soon"}, {"Nonce": "other"}, {"Nonce": ""}],
)  # fmt: skip
def test_the_app_refuses_a_wrong_signature(web: FlaskClient, headers: dict[str, str]) -> None:
    reply = report(web, SETTLE, **headers)
    assert (reply["ret_code"], reply["sdk_error_code"]) == (sud.BAD_SIGNATURE, 1002)


SUD_FIELDS = [
    *sud.REPORT,
    *(f"report_msg.{name}" for name in sud.TYPES["game_settle"][0]),
    *(f"report_msg.results.0.{name}" for name in sud.RESULT),
]


@pytest.mark.parametrize("value", [GONE, None, 2**70, -(2**70)])
@pytest.mark.parametrize("field", SUD_FIELDS)
def test_the_app_refuses_what_lacks_a_field(web: FlaskClient, field: str, value: Any) -> None:
    reply = report(web, change(SETTLE, field, value))

    assert reply["ret_code"] == sud.BAD_REPORT
    assert field.rsplit(".", maxsplit=1)[-1] in reply["ret_msg"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"), (b"[]", "not an object"),
        (change(SETTLE, "report_type", "game_pause"), "report_type"),
        (change(SETTLE, "report_msg.mg_id_str", "1461227817776713800"), "mg_id_str"),
        (change(SETTLE, "report_msg.results.0.is_ai", 2), "is_ai"),
        (change(SETTLE, "report_msg.results.0.uid", ""), "uid"),
        (change(SETTLE, "report_msg.results.1.uid", "robot"), "uid"),
        (change(SETTLE, "report_msg.results.1", "robot"), "results[1]"),
        (change(SETTLE, "report_msg.report_game_info_extras", "é" * 513), "1024 bytes"),
    ],
)  # fmt: skip
def test_the_app_refuses_what_is_no_report(web: FlaskClient, body: Any, said: str) -> None:
    reply = report(web, body)
    assert reply["ret_code"] == sud.BAD_REPORT
    assert said in reply["ret_msg"]


def test_an_app_without_a_secret_asks_for_no_signature() -> None:
    flask = Flask("stand-in")
    flask.register_blueprint(build_app_server(AppServer("", None)))
    assert flask.test_client().post(sud.PATH, json=SETTLE).get_json()["ret_code"] == 0


@pytest.mark.parametrize(
    ("way", "status"), [("500", 500), ("401", 401), ("429", 429), ("ret_code", 200), ("well", 200)]
)
def test_a_stand_in_fails_as_it_is_told(
    web: FlaskClient, app_server: AppServer, platform: G123, way: str, status: int
) -> None:
    app_server.behave(way)
    response = web.post(sud.PATH, data=b"anything")

    assert response.status_code == status
    assert response.headers.get("Retry-After") == ("4" if way == "429" else None)
    assert app_server.calls[-1].status == status
    if way == "ret_code":
        assert response.get_json()["ret_code"] == 1
        with pytest.raises(ValueError, match="ret_code"):
            platform.behave(way)


def test_a_stand_in_that_is_silent_answers_nobody_until_told_otherwise(
    web: FlaskClient, platform: G123
) -> None:
    platform.behave("silence")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(level_up(web, LEVEL_UP)))
    thread.start()
    wait_until(lambda: platform.calls)
    time.sleep(0.3)
    assert answers == []
    platform.behave("well")
    thread.join(5)
    assert [answer.status_code for answer in answers] == [504]
    assert (platform.calls[0].status, platform.calls[0].reply) == (0, "")


def test_a_config_without_reporters_is_said_to_have_none(tmp_path: Path) -> None:
    path = tmp_path / "guerdon.toml"
    path.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/guerdon.db"\n[plugins.gold]\n')
    (tmp_path / "rewards.toml").write_text("")
    guerdon = open_guerdon(path)
    assert list_targets(guerdon, "http://127.0.0.1:8001") == {"G123": "", "Sud": ""}
    guerdon.close()
