"""/v1/events and /v1/reports over HTTP: what a game server posts, what it is answered, what is kept."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import create_app
from app.guerdon import Guerdon
from app.network.client import HttpResponse
from app.opening import open_guerdon
from app.porch.json import read_float
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY
from app.testing.platforms import (
    G123_PATH,
    SUD_PATH,
    Platform,
    answer_g123,
    answer_in_turn,
    answer_late,
    answer_rightly,
    answer_status,
)
from app.testing.players import add_player
from app.testing.waiting import wait_until
from app.web.events import read_wait
from tests.world.games import (
    MAKERS,
    MISSING,
    SAMPLES,
    SS_TOKEN,
    change,
    dump_ascii,
    list_fields,
    list_leaves,
    list_wrong,
    make_human,
    make_level_up,
    make_result,
    make_settle,
    make_start,
    name_place,
)
from tests.world.sud import KEYS as SUD_KEYS
from tests.world.sud import Sud

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = {"Authorization": f"Bearer {API_KEY}"}
TYPES = list(MAKERS)
SECTIONS = """
[plugins.gold]
[plugins.g123]
host = "{url}"
app_id = "app"
app_secret = "g123-secret"
[plugins.sud]
report_url = "{url}/report_game_info"
"""
NO_RULES = ""
RULES = """
[[rules]]
name = "level 10"
on = "level_up"
where = { level = { at_least = 10 } }
give = [{ reward = "gold", amount = "5.00" }]
[[rules]]
name = "a winner of game 7"
on = "game_settle"
server = 7
where = { rank = 1 }
give = [{ reward = "gold", amount = "50.00" }]
[[rules]]
name = "whoever stayed"
on = "game_settle"
server = ["7", "9007199254740993"]
where = { is_escaped = 0 }
give = [{ reward = "gold", amount = "1.00" }]
"""
TABLES = ("guerdon_events", "guerdon_inbox", "guerdon_reports", "guerdon_grants")


class Game:
    """A game server's side of one Guerdon, and the platform that its reports go to."""

    def __init__(self, guerdon: Guerdon, platform: Platform) -> None:
        self.guerdon = guerdon
        self.platform = platform
        self.app: Flask = create_app(guerdon)

    def post(self, type: str, body: Any, wait: Any = 5, **headers: str) -> Any:
        """POST an event; bytes as they are. `wait` None: without a Prefer."""
        raw = body if isinstance(body, bytes) else dump_ascii(body)
        prefer = {} if wait is None else {"Prefer": f"wait={wait}"}
        client = self.app.test_client()
        return client.post(f"/v1/events/{type}", data=raw, headers={**KEY, **prefer, **headers})

    def get(self, path: str) -> Any:
        return self.app.test_client().get(f"/v1{path}", headers=KEY)

    def get_event(self, type: str, id: str) -> Any:
        response = self.get(f"/events/{type}/{quote(id, safe='')}")
        assert response.status_code == 200, response.text
        return response.get_json()

    def count(self) -> dict[str, int]:
        """Rows of the tables that an event leaves something in."""
        return count_rows(self.guerdon)

    def list_bodies(self, path: str) -> list[Any]:
        return [one.fields for one in self.platform.requests if one.path == path]

    def read_gold(self) -> dict[str, str]:
        with self.guerdon.database.connection_context():
            rows = self.guerdon.database.execute_sql("SELECT nickname, gold FROM players")
            return {name: f"{gold:.2f}" for name, gold in rows.fetchall()}


def count_rows(guerdon: Guerdon) -> dict[str, int]:
    with guerdon.database.connection_context():
        return {
            table: guerdon.database.execute_sql(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }


NOTHING = dict.fromkeys(TABLES, 0)


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def open_game(
    open_service: Callable[..., Guerdon], platform: Platform
) -> Iterator[Callable[..., Game]]:
    """A game without rules; arguments are write_config's."""

    def open_one(rewards: str = NO_RULES, more: str = "", **kwargs: Any) -> Game:
        sections = SECTIONS.format(url=platform.url)
        guerdon = open_service(rewards=rewards, plugins=sections, more=more, **kwargs)
        return Game(guerdon, platform)

    yield open_one
    platform.closing.set()  # whoever is never answered: before the service waits for its end


@pytest.fixture
def game(open_game: Callable[..., Game]) -> Game:
    return open_game()


def check_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem: dict[str, Any] = response.get_json()
    assert (problem["status"], bool(problem["title"])) == (status, True)
    assert problem["type"]
    assert problem["detail"]
    assert ("errors" in problem) == (status == 422)
    return problem


def test_it_works(game: Game) -> None:
    level_up = game.post("level_up", make_level_up())
    start = game.post("game_start", make_start())
    settle = game.post("game_settle", make_settle())

    assert [one.status_code for one in (level_up, start, settle)] == [200] * 3
    assert level_up.get_json() == {
        "event": {"type": "level_up", "id": "u1:s73:10", "state": "settled"},
        "grants": [],
        "reports": [
            {
                "id": 1, "reporter": "g123", "kind": "level_up", "state": "delivered", "sends": 1,
                "last_error": None,
                "response": {
                    "action": "game_event_created", "id": "1", "token": game.platform.tokens[0],
                },
            }
        ],
    }  # fmt: skip
    for response, type in ((start, "game_start"), (settle, "game_settle")):
        answer = response.get_json()
        assert answer["event"] == {"type": type, "id": "r1", "state": "settled"}
        (report,) = answer["reports"]
        assert (report["reporter"], report["kind"]) == ("sud", type)
        assert report["response"] == {"ret_code": 0, "ret_msg": "", "data": {}}
    assert [one.path for one in game.platform.requests] == [G123_PATH, SUD_PATH, SUD_PATH]


@on_sqlite
def test_the_samples_of_the_documents_reach_the_platforms(game: Game) -> None:
    for type, sample in SAMPLES.items():
        assert game.post(type, sample).status_code == 200

    level_up, start, settle = (one.fields for one in game.platform.requests)
    sample = json.loads(SAMPLES["level_up"])
    assert level_up["server_id"] == level_up["game_server_id"] == "s73"
    assert level_up["data"]["role"] == sample["data"]["role"]
    assert level_up["data"]["custom"] == {
        "reg_server_id": "1", "physical_server": "$SERVER_HOST|$SERVER_IP",
    }  # fmt: skip
    assert level_up["custom"] == sample["custom"]
    assert start == json.loads(SAMPLES["game_start"])
    assert settle == json.loads(SAMPLES["game_settle"])


@on_sqlite
def test_an_int64_is_exact_in_the_bytes_that_leave(game: Game) -> None:
    for number in (2**53 + 1, 2**63 - 1, -(2**63), 1_461_227_817_776_713_818):
        body = make_start(f"r{number}", mg_id=number, mg_id_str=str(number))

        assert game.post("game_start", body).status_code == 200

        raw = game.platform.requests[-1].body
        assert f'"mg_id":{number},'.encode() in raw
        assert f'"mg_id_str":"{number}"'.encode() in raw
        event = game.get_event("game_start", f"r{number}")
        assert (event["server_id"], event["data"]["report_msg"]["mg_id"]) == (str(number), number)


# Bad input.


@on_sqlite
@pytest.mark.parametrize("type", TYPES)
def test_each_wrong_field_is_named_and_nothing_is_stored(type: str, game: Game) -> None:
    for place, value in list_wrong(type):
        response = game.post(type, change(MAKERS[type](), place, value), wait=0)

        problem = check_problem(response, 422)
        assert list_leaves(problem["errors"]) == [name_place(place)], (place, value)
    assert game.count() == NOTHING


@on_sqlite
@pytest.mark.parametrize("type", TYPES)
def test_what_is_not_an_object_or_not_json_is_refused(type: str, game: Game) -> None:
    for raw in (b"[]", b"null", b'"x"', b"1", b"true", b"[{}]"):
        assert list_leaves(check_problem(game.post(type, raw), 422)["errors"]) == [()]
    assert len(list_leaves(check_problem(game.post(type, b""), 422)["errors"])) > 1
    whole = dump_ascii(MAKERS[type]())
    for raw in (
        b"{", whole[:-1], whole + b"}", whole[:-1] + b",}", b"\xff", b"\xef\xbb\xbf" + whole,
        b"[" * 100_000, whole[:-1] + b',"more":NaN}', whole[:-1] + b',"more":1e999}',
        whole[:-1] + b',"more":' + b"9" * 5000 + b"}", b"uid=u1",
    ):  # fmt: skip
        check_problem(game.post(type, raw), 400)
    assert game.count() == NOTHING


@on_sqlite
@pytest.mark.parametrize("type", TYPES)
def test_a_body_is_nested_a_hundred_times_at_most_and_all_that_came_in_can_be_shown(
    type: str, game: Game
) -> None:
    for depth in (98, 99, 500, 900):
        more = "[" * depth + "]" * depth
        raw = dump_ascii(MAKERS[type]())[:-1] + f',"more":{{"x":{more}}}}}'.encode()
        response = game.post(type, raw)

        if depth > 98:
            assert "too deeply" in check_problem(response, 400)["detail"]
        else:
            assert response.status_code == 200
            event = game.get_event(type, response.get_json()["event"]["id"])
            assert "x" in event["data"]["more"]


@on_sqlite
@pytest.mark.parametrize("type", TYPES)
def test_a_body_has_a_mebibyte_at_most(type: str, game: Game) -> None:
    whole = dump_ascii(MAKERS[type]())

    check_problem(game.post(type, whole.ljust((1 << 20) + 1)), 413)
    assert game.count() == NOTHING
    assert game.post(type, whole.ljust(1 << 20)).status_code == 200


@on_sqlite
def test_what_is_said_of_a_round_is_not_kept_once_more_for_each_player(game: Game) -> None:
    uids = [f"u{number}" for number in range(100)]
    body = make_start("r1", *uids, new="x" * 500_000, short="y")

    assert game.post("game_start", body).status_code == 200

    assert "new" in game.get_event("game_start", "r1")["data"]["report_msg"]
    player = game.get_event("game_start", "r1:u7")["data"]
    assert (player["uid"], player["short"], player["mg_id_str"]) == (
        "u7",
        "y",
        str(player["mg_id"]),
    )
    assert not {"new", "players"} & set(player)


# Keys.


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"/v1/events/{type}") for type in TYPES]
    + [("GET", f"/v1/events/{type}/x") for type in TYPES]
    + [("GET", "/v1/reports/1")],
)
def test_without_a_right_key_nobody_comes_in(method: str, path: str, game: Game) -> None:
    game.post("level_up", make_level_up())
    before = game.count()
    bodies = [dump_ascii(MAKERS[type]("other")) for type in TYPES] + [b"{"]
    for header in (None, "", "Bearer", f"Bearer {API_KEY}x", API_KEY, f"Basic {API_KEY}"):
        for body in bodies if method == "POST" else [b""]:
            client = game.app.test_client()
            headers = {} if header is None else {"Authorization": header}
            response = client.open(path, method=method, data=body, headers=headers)

            check_problem(response, 401)
            assert response.headers["WWW-Authenticate"] == "Bearer"
    assert game.count() == before


@on_sqlite
def test_the_name_of_the_key_is_kept_with_the_event(
    write_config: Callable[..., Path],
    open_game: Callable[..., Game],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EU_KEY", "key-of-europe-4711")
    game = open_game(rewards=RULES)
    other = '{ env = "EU_KEY_2", default = "key-of-nobody-else", name = "two" }'
    keys = f'"{API_KEY}", {{ env = "EU_KEY" }}, {other}'
    path: Path = game.guerdon.config.path
    path.write_text(path.read_text().replace(f'"{API_KEY}"', keys))
    game = Game(open_guerdon(path), game.platform)
    names = {API_KEY: "key 1", "key-of-europe-4711": "EU_KEY", "key-of-nobody-else": "two"}

    for number, key in enumerate(names):
        header = {"Authorization": f"Bearer {key}"}
        game.post("game_start", make_start(f"r{number}"), **header)
        waiting = game.post("level_up", make_level_up(f"nobody{number}"), **header)
        assert waiting.get_json()["event"]["state"] == "waiting"

    for number, name in enumerate(names.values()):
        assert game.get_event("game_start", f"r{number}")["token"] == name
        assert game.get_event("level_up", f"nobody{number}:s73:10")["token"] == name
    game.guerdon.close()


# How long to wait.


@on_sqlite
@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 5), ("", 5), ("wait=0", 0), ("wait=1", 1), ("wait=30", 30), ("wait=31", 30),
        ("wait=999999999999999999999", 30), ("wait=" + "9" * 5000, 5), ("wait=-1", 0),
        ("respond-async, wait=1", 1), ("wait=1, respond-async", 1), ("respond-async", 5),
        ('wait="2"', 2), ("Wait=2", 2), ("wait=2; strict", 2), ("wait = 2", 2), ("wait", 5),
        ("wait=", 5), ("wait=x", 5), ("wait=1.5", 5), ("wait=nan", 5), ("wait=inf", 5), ("=", 5),
        ("waiting=1", 5), ("return=minimal, wait=3, handling=lenient", 3),
    ],
)  # fmt: skip
def test_how_long_to_wait_is_for_the_caller_to_say(
    prefer: str | None, seconds: float, game: Game
) -> None:
    headers = {} if prefer is None else {"Prefer": prefer}
    with game.app.test_request_context(headers=headers):
        assert read_wait() == seconds


@given(prefer=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")))
def test_no_preference_is_an_error(prefer: str) -> None:
    with Flask("any").test_request_context(environ_overrides={"HTTP_PREFER": prefer}):
        assert 0 <= read_wait() <= 30


@on_sqlite
@pytest.mark.parametrize(
    ("prefer", "least", "most"),
    [("wait=0", 0, 0.9), ("respond-async, wait=1", 0.9, 2.5)],
)
def test_what_is_not_delivered_in_time_is_answered_202_and_fetched_later(
    prefer: str, least: float, most: float, game: Game
) -> None:
    release = threading.Event()

    def behave(handler: Any) -> None:
        release.wait(20)
        answer_g123(handler)

    game.platform.behave = behave
    began = time.monotonic()
    response = game.post("level_up", make_level_up(), wait=None, Prefer=prefer)

    assert least <= time.monotonic() - began <= most
    assert response.status_code == 202
    answer = response.get_json()
    assert answer["event"]["state"] == "settled"
    (report,) = answer["reports"]
    assert report["state"] == ("ready" if prefer == "wait=0" else "leased")
    assert report["response"] is None
    release.set()
    game.guerdon.outbox.serve_once()
    path = f"/reports/{report['id']}"
    wait_until(lambda: game.get(path).get_json()["state"] == "delivered")
    later = game.post("level_up", make_level_up())
    assert later.status_code == 200
    replies = [
        game.get(path).get_json()["response"],
        game.get_event("level_up", answer["event"]["id"])["reports"][0]["response"],
        later.get_json()["reports"][0]["response"],
    ]
    assert replies == [
        {"action": "game_event_created", "id": "1", "token": game.platform.tokens[0]}
    ] * 3  # fmt: skip
    assert len(game.platform.requests) == 1


@on_sqlite
def test_a_report_that_failed_is_no_success(game: Game, clock: Clock) -> None:
    game.platform.behave = answer_in_turn(
        answer_status(500, b"ill"), answer_status(403, b"no"), answer_rightly
    )

    first = game.post("level_up", make_level_up(), wait=1)

    assert (first.status_code, first.get_json()["reports"][0]["state"]) == (202, "ready")
    clock.advance(60)
    second = game.post("level_up", make_level_up(), wait=1)
    assert (second.status_code, second.get_json()["reports"][0]["state"]) == (202, "dead")
    third = game.post("level_up", make_level_up(), wait=1)
    assert (third.status_code, third.get_json()) == (202, second.get_json())
    report = game.get("/reports/1").get_json()
    assert "403" in report["last_error"]
    assert [one["status"] for one in report["attempts"]] == [500, 403]
    assert len(game.platform.requests) == 2


# The platform's reply.


REPLIES = {
    "level_up": (
        '{ "zeta":1.10,"alpha" : 123456789012345678901234567890,"e":1E+2,\t"u":"\\u00e9\\ud83d\\ude00"'
        ',"lone":"\\ud800","\\u0061lpha":-7,"minus":-0,"玩":"家😀","token":"t-0123456789","nil":[null,{}]}\r\n'
    ),
    "game_settle": ' {"data": {"x": 1.10}, "ret_msg":"", "ret_code": 0 }',
}  # fmt: skip


@pytest.mark.parametrize("type", list(REPLIES))
def test_the_platforms_reply_is_passed_on_byte_for_byte(type: str, game: Game) -> None:
    raw = REPLIES[type].encode()
    game.platform.behave = answer_status(200, raw)

    answers = [
        game.post(type, MAKERS[type]()),
        game.post(type, MAKERS[type]()),
        game.get(f"/events/{type}/{'u1:s73:10' if type == 'level_up' else 'r1'}"),
        game.get("/reports/1"),
    ]

    for response in answers:
        assert response.status_code == 200
        assert b'"response": ' + raw in response.data
        json.loads(response.data)


# The same event again.


@pytest.mark.parametrize("type", TYPES)
def test_the_same_event_again_is_answered_the_same_and_reported_once(type: str, game: Game) -> None:
    first = game.post(type, MAKERS[type]())
    counted = game.count()
    other = MAKERS[type]() | {"uid": "u1", "more": "x"}
    if type == "level_up":
        other |= {"timestamp": 1, "ctwid": "another", "data": other["data"] | {"role": {}}}
    else:
        other["report_msg"]["room_id"] = "another"

    for body in (MAKERS[type](), other):
        again = game.post(type, body)
        assert (again.status_code, again.data) == (200, first.data)
    assert game.count() == counted
    assert len(game.platform.requests) == 1
    assert game.get_event(type, first.get_json()["event"]["id"])["attempts"] == 1


def test_twenty_at_the_same_time_are_answered_the_same(game: Game) -> None:
    game.platform.behave = answer_late(0.2)
    barrier = threading.Barrier(20)

    def post(number: int) -> Any:
        barrier.wait(10)
        return game.post("level_up", make_level_up(ctwid=f"c{number}"), wait=10)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    assert [one.status_code for one in answers] == [200] * 20
    assert len({one.data for one in answers}) == 1
    assert len(game.platform.requests) == 1


def test_over_two_gunicorns_the_same_event_is_reported_once(
    open_game: Callable[..., Game], start_gunicorn: Callable[..., Any]
) -> None:
    game = open_game(rewards=RULES)
    game.platform.behave = answer_late(0.2)
    servers = [start_gunicorn(game.guerdon.config.path, workers=1) for _ in range(2)]
    barrier = threading.Barrier(20)

    def post(number: int) -> Any:
        url = servers[number % 2].url
        headers = KEY | {"Prefer": "wait=10"}
        barrier.wait(10)
        bodies = {"level_up": make_level_up("Bob", ctwid=f"c{number}"), "game_start": make_start()}
        return [
            requests.post(f"{url}/v1/events/{type}", json=body, headers=headers, timeout=20)
            for type, body in bodies.items()
        ]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    for of_type in zip(*answers, strict=True):
        assert [one.status_code for one in of_type] == [200] * 20
        assert len({one.content for one in of_type}) == 1
    assert [one.path for one in game.platform.requests] == [G123_PATH, SUD_PATH]
    assert game.read_gold() == {"Bob": "5.00"}
    check_chunked(servers[0].port)


def check_chunked(port: int) -> None:
    """A body whose length is not announced has the same limit."""
    whole = dump_ascii(make_start("chunked"))
    for size, status in (((1 << 20) + 1, b"413"), (len(whole) + 1, b"200")):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            head = (
                "POST /v1/events/game_start HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"Authorization: Bearer {API_KEY}\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            raw = whole.ljust(size)
            connection.sendall(head.encode())
            with contextlib.suppress(OSError):  # it need not read all of it
                for start in range(0, size, 65536):
                    part = raw[start : start + 65536]
                    connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            assert connection.recv(100).split()[1] == status, size


# Any input at all.


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None, categories=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300) | st.sampled_from(
    [
        ":",
        "/",
        "//x",
        "%3A",
        "..",
        "a b",
        "\0",
        "玩家😀",
        "x" * 255,
        "é" * 255,
        "?#",
        "\x85",
        "\u2028",
    ]
)
KEYS = {"level_up": ("uid",), "game_start": ("report_msg", "game_round_id")}
KEYS["game_settle"] = KEYS["game_start"]


@st.composite
def draw_event(draw: Any) -> tuple[str, Any]:
    """A type, and a body that is nearly right: some ids, some fields left out, some anything."""
    type = draw(st.sampled_from(TYPES))
    body = change(MAKERS[type](), KEYS[type], draw(IDS))
    places = draw(st.lists(st.sampled_from(list(list_fields(type))), max_size=2))
    for place in places:
        value = draw(JSON | st.just(MISSING) | IDS | st.integers(-(2**31), 2**31 - 1))
        with contextlib.suppress(KeyError, IndexError, TypeError):  # its object is gone
            body = change(body, place, value)
    if draw(st.booleans()):
        body |= draw(st.dictionaries(st.text(max_size=4), JSON, max_size=2))
    return type, body


@on_sqlite
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(event=draw_event())
def test_whatever_is_posted_is_refused_or_settled_once(event: Any, game: Game) -> None:
    type, body = event
    before = game.count()

    response = game.post(type, body, wait=0)

    assert response.status_code in (202, 422), response.text
    if response.status_code == 422:
        check_problem(response, 422)
        assert game.count() == before
        return
    answer = response.get_json()
    assert answer["event"]["state"] == "settled"
    assert [report["state"] for report in answer["reports"]] == ["ready"]
    after = game.count()
    again = game.post(type, body, wait=0)
    assert (again.status_code, again.data) == (202, response.data)
    assert game.count() == after
    assert after["guerdon_inbox"] == 0
    shown = game.get_event(type, answer["event"]["id"])
    assert (shown["id"], shown["state"]) == (answer["event"]["id"], "settled")
    assert game.get(f"/reports/{answer['reports'][0]['id']}").status_code == 200


@on_sqlite
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(type=st.sampled_from(TYPES), raw=st.binary(max_size=40) | JSON.map(dump_ascii))
def test_whatever_bytes_are_posted_are_refused(type: str, raw: bytes, game: Game) -> None:
    check_problem(game.post(type, raw), 422 if is_json(raw) else 400)
    assert game.count() == NOTHING


def is_json(raw: bytes) -> bool:
    """Whether it is, for everybody: Python alone reads NaN, and makes an infinity of 1e999."""
    try:
        json.loads(raw.decode(), parse_constant=read_float, parse_float=read_float)
    except ValueError:
        return raw == b""
    return True


# Rules pay.


def test_rules_pay_a_level_up_and_the_results_of_a_round(open_game: Callable[..., Game]) -> None:
    game = open_game(rewards=RULES)
    for name in ("Ann", "Cyd"):
        add_player(game.guerdon, name)

    level_up = game.post("level_up", make_level_up("Bob", 10))
    low = game.post("level_up", make_level_up("Bob", 9))
    results = [
        make_result("Bob", 1), make_result("Ann", 1, is_escaped=1), make_result("", 2),
        make_result("Cyd", 3),
    ]  # fmt: skip
    settle = game.post("game_settle", make_settle("r1", mg_id=7, mg_id_str="7", results=results))
    other = make_settle("r2", "Bob", mg_id=8, mg_id_str="8")
    assert game.post("game_settle", other).get_json()["grants"] == []
    large = make_settle("r3", "Cyd", mg_id=2**53 + 1, mg_id_str=str(2**53 + 1))
    assert len(game.post("game_settle", large).get_json()["grants"]) == 1
    near = make_settle("r4", "Cyd", mg_id=2**53, mg_id_str=str(2**53))
    assert game.post("game_settle", near).get_json()["grants"] == []

    (grant,) = level_up.get_json()["grants"]
    assert (grant["rule"], grant["nickname"], grant["reward"]) == ("level 10", "Bob", "gold")
    assert low.get_json()["grants"] == []
    paid = [(one["rule"], one["nickname"]) for one in settle.get_json()["grants"]]
    assert paid == [
        ("a winner of game 7", "Bob"), ("whoever stayed", "Bob"), ("a winner of game 7", "Ann"),
        ("whoever stayed", "Cyd"),
    ]  # fmt: skip
    assert game.get_event("game_settle", "r1")["grants"] == settle.get_json()["grants"]
    bobs = game.get_event("game_settle", "r1:Bob")
    assert (bobs["user_id"], bobs["data"]["rank"], len(bobs["grants"])) == ("Bob", 1, 2)
    assert bobs["reports"] == []
    assert game.read_gold() == {"Bob": "56.00", "Ann": "50.00", "Cyd": "2.00"}
    assert len(game.list_bodies(SUD_PATH)) == 4


@pytest.mark.parametrize("unknown", ["fail", "hold"])
def test_an_event_of_an_unknown_player_waits_and_is_settled_later(
    unknown: str, open_game: Callable[..., Game]
) -> None:
    game = open_game(rewards=RULES, more=f'[players]\nunknown = "{unknown}"')
    bodies = {"level_up": make_level_up("Eve"), "game_settle": make_settle("r1", "Bob", "Eve")}
    bodies["game_settle"]["report_msg"] |= {"mg_id": 7, "mg_id_str": "7"}

    for type, body in bodies.items():
        response = game.post(type, body)
        assert response.status_code == 202
        answer = response.get_json()
        assert answer["event"]["state"] == "waiting"
        assert "Eve" in answer["event"]["last_error"]
        assert (answer["grants"], answer["reports"]) == ([], [])
        event = game.get_event(type, answer["event"]["id"])
        assert (event["state"], event["last_error"]) == ("waiting", answer["event"]["last_error"])
    assert game.platform.requests == []
    assert game.read_gold() == {"Bob": "0.00"}

    add_player(game.guerdon, "Eve")
    for type, body in bodies.items():
        response = game.post(type, body)
        assert response.status_code == 200
        answer = response.get_json()
        assert answer["event"] == {"type": type, "id": answer["event"]["id"], "state": "settled"}
        assert game.post(type, body).data == response.data
    assert game.read_gold() == {"Bob": "51.00", "Eve": "6.00"}
    assert [one.path for one in game.platform.requests] == [G123_PATH, SUD_PATH]


@on_sqlite
def test_an_event_that_waits_is_tried_again_by_itself(
    open_game: Callable[..., Game], clock: Clock
) -> None:
    game = open_game(rewards=RULES)
    assert game.post("level_up", make_level_up("Eve")).status_code == 202
    add_player(game.guerdon, "Eve")
    clock.advance(5)

    with ThreadPoolExecutor(4) as pool:
        game.guerdon.dispatcher.serve_once(pool)

    wait_until(lambda: game.read_gold()["Eve"] == "5.00")
    wait_until(lambda: game.guerdon.outbox.serve_once() or game.platform.requests)
    assert game.post("level_up", make_level_up("Eve")).status_code == 200
    assert len(game.platform.requests) == 1


@on_sqlite
def test_an_unknown_player_may_be_created(open_game: Callable[..., Game]) -> None:
    game = open_game(rewards=RULES, more='[players]\nunknown = "create"')

    settle = make_settle("r1", "Eve", "Zoë", mg_id=7, mg_id_str="7")
    assert game.post("game_settle", settle).status_code == 200

    assert game.read_gold() == {"Bob": "0.00", "Eve": "51.00", "Zoë": "1.00"}


TROPHY = """
from marshmallow import Schema
from app import NotReady, hookimpl

@hookimpl
def reward_schemas():
    return {"trophy": Schema}

@hookimpl
def grant_reward(reward, event):
    if reward.kind != "trophy":
        return None
    if event.user_id == "Cyd" and event.data["room_id"] != "trophies":
        raise NotReady("no trophy is left")
    return {}
"""
TROPHY_RULE = """
[[rules]]
name = "all"
on = "game_settle"
give = [{ reward = "gold", amount = 1 }, { reward = "trophy" }]
"""


def test_all_results_of_a_round_are_paid_or_none(
    open_game: Callable[..., Game], add_plugin: Callable[..., str]
) -> None:
    game = open_game(rewards=TROPHY_RULE, more=add_plugin(TROPHY))
    for name in ("Ann", "Cyd"):
        add_player(game.guerdon, name)

    failed = game.post("game_settle", make_settle("r1", "Bob", "Ann", "Cyd"))

    assert failed.status_code == 202
    event = failed.get_json()["event"]
    assert (event["state"], event["last_error"]) == ("waiting", "no trophy is left")
    assert game.read_gold() == dict.fromkeys(("Bob", "Ann", "Cyd"), "0.00")
    assert game.count() == NOTHING | {"guerdon_inbox": 1}
    body = make_settle("r1", "Bob", "Ann", "Cyd", room_id="trophies")
    assert game.post("game_settle", body).status_code == 200
    assert game.read_gold() == dict.fromkeys(("Bob", "Ann", "Cyd"), "1.00")
    assert game.count() == {
        "guerdon_events": 4, "guerdon_inbox": 1, "guerdon_reports": 1, "guerdon_grants": 6,
    }  # fmt: skip


# Looking.


STRANGE_IDS = [
    "a:b", "a%3Ab", "a/b", "a//b", "/a", "//", "a/", "100%", "%2F", "a b", " a ", "玩家", "é", "😀",
    "?x=1", "#", "..", ".", "\0", "a\nb", "\n", "a\\b", "+", "x" * 255, ":" * 255, "玩" * 255,
]  # fmt: skip


class Loop:
    """Stands where app.network.Http does: what is sent arrives at the sender's own webhook."""

    def __init__(self) -> None:
        self.client: Any = None
        self.replies: list[Any] = []

    def request(self, method: str, url: str, *, body: bytes, headers: Any, **options: Any) -> Any:
        response = self.client.post(url, data=body, headers=headers)
        self.replies.append(response.get_json())
        return HttpResponse(response.status_code, {}, response.data)

    def close(self) -> None:
        """There is nothing to close."""


ROUND_RULES = """
[[rules]]
name = "whoever plays"
on = "game_start"
give = [{ reward = "gold", amount = "50.00" }]
[[rules]]
name = "whoever played"
on = "game_settle"
give = [{ reward = "gold", amount = "50.00" }]
"""


@pytest.mark.parametrize("order", ["platform first", "game server first", "at the same time"])
@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_a_round_that_platform_and_game_server_both_tell_of_is_paid_once(
    open_service: Callable[..., Guerdon], platform: Platform, type: str, order: str
) -> None:
    sections = SECTIONS.format(url=platform.url) + SUD_KEYS
    game = Game(open_service(rewards=ROUND_RULES, plugins=sections), platform)
    ids = [f"r{number}" for number in range(6)]

    def tell(way: str, id: str) -> None:
        body = MAKERS[type](id, "Bob")
        if way == "platform":
            assert Sud(game.guerdon).post(type, body)["ret_code"] == 0
            return
        answer = game.post(type, body, wait=0).get_json()
        assert (answer["event"]["id"], answer["event"]["state"]) == (id, "settled")
        assert [grant["params"] for grant in answer["grants"]] == [{"amount": "50.00"}]

    ways = (
        ["platform", "game server"] if order != "game server first" else ["game server", "platform"]
    )
    for id in ids:
        with ThreadPoolExecutor(2 if order == "at the same time" else 1) as pool:
            for told in [pool.submit(tell, way, id) for way in ways]:
                told.result()
    game.guerdon.dispatcher.stop()

    assert game.read_gold() == {"Bob": "300.00"}
    rows = game.count()
    # Of each round two that told of it, and Bob's part in it once.
    assert (rows["guerdon_events"], rows["guerdon_grants"], rows["guerdon_inbox"]) == (18, 6, 0)


@on_sqlite
def test_one_that_reports_to_itself_pays_a_round_once(
    write_config: Callable[..., Path], platform: Platform, clock: Clock
) -> None:
    loop = Loop()
    sections = SECTIONS.format(url="http://itself.example") + SUD_KEYS
    sections = sections.replace("/report_game_info", "/webhooks/sud")
    path = write_config(rewards=ROUND_RULES, plugins=sections)
    with contextlib.closing(open_guerdon(path, clock, loop)) as guerdon:  # type: ignore[arg-type]
        guerdon.migrate()
        add_player(guerdon, "Bob")
        game = Game(guerdon, platform)
        loop.client = game.app.test_client()

        for _ in range(2):
            assert game.post("game_settle", make_settle("r1", "Bob")).status_code == 200

        assert loop.replies == [{"ret_code": 0, "ret_msg": "", "data": {}}]
        assert game.read_gold() == {"Bob": "50.00"}
        assert game.count()["guerdon_reports"] == 1


def test_an_event_is_found_by_its_id_whatever_is_in_it(game: Game) -> None:
    for id in STRANGE_IDS:
        answer = game.post("game_start", make_start(id, "u:1"), wait=0).get_json()
        level_up = game.post("level_up", make_level_up(id, server_id=id), wait=0).get_json()

        event = game.get_event("game_start", answer["event"]["id"])
        assert event["data"]["report_msg"]["game_round_id"] == id
        event = game.get_event("level_up", level_up["event"]["id"])
        assert (event["user_id"], event["server_id"]) == (id, id)
        if "%" not in id:  # the platform's own id, where no event of ours is written so
            event = game.get_event("game_start", id)
            assert event["data"]["report_msg"]["game_round_id"] == id
    assert game.count()["guerdon_events"] == 3 * len(STRANGE_IDS)


@on_sqlite
def test_the_id_that_was_answered_comes_before_one_that_is_only_written_alike(game: Game) -> None:
    ids = {}
    for id in ("r:Bob", "r", "r%3ABob"):
        ids[id] = game.post("game_start", make_start(id, "Bob"), wait=0).get_json()["event"]["id"]

    for id, answered in ids.items():
        assert game.get_event("game_start", answered)["data"]["report_msg"]["game_round_id"] == id
    assert game.get_event("game_start", "r:Bob")["data"]["uid"] == "Bob"


@on_sqlite
def test_what_never_came_is_not_there(game: Game) -> None:
    game.post("game_start", make_start("r1"))

    for path in (
        "/events/game_start/r2", "/events/game_settle/r1", "/events/level_up/r1",
        "/events/nothing/r1", "/events/game_start/R1", "/events/game_start/%ff", "/reports/2",
        "/reports/0", "/reports/-1", "/reports/x", f"/reports/{2**63}", f"/reports/{10**4000}",
        "/reports/", "/events/game_start/",
    ):  # fmt: skip
        check_problem(game.get(path), 404)
    check_problem(game.post("server.vote", {}), 404)
    check_problem(game.get("/events/level_up"), 405)


@on_sqlite
def test_a_report_shows_each_of_its_sends(game: Game, clock: Clock) -> None:
    game.platform.behave = answer_in_turn(
        answer_status(503, {"error": "later", "token": "hidden-token"}), answer_rightly
    )
    game.post("game_start", make_start(), wait=0)
    game.post("game_start", make_start(), wait=1)
    clock.advance(60)
    answer = game.post("game_start", make_start(), wait=5)
    assert answer.status_code == 200

    report = game.get("/reports/1").get_json()

    assert {name: report[name] for name in ("id", "reporter", "kind", "key", "state", "sends")} == {
        "id": 1, "reporter": "sud", "kind": "game_start", "key": "r1", "state": "delivered",
        "sends": 2,
    }  # fmt: skip
    assert report["response"] == {"ret_code": 0, "ret_msg": "", "data": {}}
    first, second = report["attempts"]
    assert (first["number"], first["status"], first["result"]) == (1, 503, "failed")
    assert (second["number"], second["status"], second["result"]) == (2, 200, "delivered")
    assert "hidden-token" not in game.get("/reports/1").text
    whats = [step["what"] for step in game.get_event("game_start", "r1")["timeline"]]
    assert whats == ["settled", "report queued", "report sent", "report sent"]


@on_sqlite
def test_an_ss_token_is_sent_and_never_shown(game: Game) -> None:
    def quote_back(handler: Any) -> None:
        answer_status(500, handler.body)(handler)

    game.platform.behave = quote_back
    for type in ("game_start", "game_settle"):
        body = MAKERS[type]() | {"Token": "top-secret", "deep": [{"my_token": "deep-secret"}]}
        answer = game.post(type, body, wait=1)
        assert answer.status_code == 202
        shown = [answer.text, json.dumps(game.get_event(type, "r1"))]
        shown += [game.get(f"/reports/{one['id']}").text for one in answer.get_json()["reports"]]
        for text in shown:
            for secret in (SS_TOKEN, "top-secret", "deep-secret"):
                assert secret not in text
        assert game.get_event(type, "r1")["data"]["ss_token"] == "***"
    assert [one["ss_token"] for one in game.list_bodies(SUD_PATH)] == [SS_TOKEN] * 2


@on_sqlite
def test_the_description_tells_of_every_route_and_field(game: Game) -> None:
    spec = game.app.test_client().get("/openapi.json").get_json()

    schemas = spec["components"]["schemas"]
    named = {"level_up": "LevelUp", "game_start": "GameStart", "game_settle": "GameSettle"}
    for type, name in named.items():
        operation = spec["paths"][f"/v1/events/{type}"]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{name}"}
        assert {"200", "202", "422", "503"} <= set(operation["responses"])
        for status in ("200", "202"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/EventAnswer"}
        tops = {str(place[0]) for place in list_fields(type)}
        assert tops <= set(schemas[name]["properties"])
        required = {
            str(at[0]) for at, (_, must) in list_fields(type).items() if must and not at[1:]
        }
        assert set(schemas[name]["required"]) == required
    bounds = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert bounds.items() <= schemas["StartMessage"]["properties"]["mg_id"].items()
    paths = spec["paths"]
    for path in ("/v1/events/{type}/{id}", "/v1/reports/{id}", "/v1/players/{nickname}"):
        assert "404" in paths[path]["get"]["responses"]
        assert paths[path]["get"]["security"] == [{"key": []}]


# A database that is down.


@pytest.mark.on_servers
def test_while_the_database_is_down_nothing_is_half_stored(
    own_database_server: DatabaseServer, open_game: Callable[..., Game]
) -> None:
    server = own_database_server
    game = open_game(rewards=RULES, url=server.url(server.create_database()))
    assert game.post("level_up", make_level_up("Bob", 10)).status_code == 200
    counted = game.count()
    server.stop()

    for response in (
        game.post("level_up", make_level_up("Bob", 10)),
        game.post("level_up", make_level_up("Bob", 11)),
        game.post("game_settle", make_settle("r1", "Bob")),
        game.get("/events/level_up/Bob:s73:10"),
        game.get("/reports/1"),
    ):
        check_problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0
        for detail in ("127.0.0.1", str(server.port), "p@ss", "SELECT", "pymysql", SS_TOKEN):
            assert detail not in response.text
    check_problem(game.post("level_up", {}), 422)

    server.start()
    wait_until(lambda: game.get("/reports/1").status_code == 200)
    assert game.count() == counted
    assert game.post("level_up", make_level_up("Bob", 11)).status_code == 200
    assert game.post("level_up", make_level_up("Bob", 10)).status_code == 200
    assert game.read_gold() == {"Bob": "10.00"}
    assert len(game.platform.requests) == 2


@on_sqlite
def test_players_may_have_robots_among_them(game: Game) -> None:
    body = make_start(players=[make_human("u1"), make_human("r2d2", is_ai=1), {"is_ai": 1}])

    assert game.post("game_start", body).status_code == 200

    (sent,) = game.list_bodies(SUD_PATH)
    assert [one["uid"] for one in sent["report_msg"]["players"]] == ["u1", "", ""]
    assert game.count()["guerdon_events"] == 2
