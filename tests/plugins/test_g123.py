"""G123's level_up, as its sheet says: the request, its switches, what is sent again, what handed on."""

import base64
import json
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from typing import Any

import pytest

from app.database.models import Send
from app.network.client import HttpResponse
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.porch.types import Event
from app.testing.clock import Clock
from app.testing.platforms import (
    G123_PATH,
    Platform,
    answer_g123,
    answer_in_turn,
    answer_status,
    hang_up,
    never_answer,
)
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until
from plugins import g123
from tests.world.game_server import ROLE, GameServer, make_level_up, make_start

SECRET = "s3cret-of-g123"
SECTION = """
[plugins.g123]
host = "{}"
app_id = "app-7"
app_secret = "s3cret-of-g123"
"""
REPLY = (
    b'{"action": "game_event_created", "id": "1", "token": "fdda6c9f-5745-4adc-9541-c3827d654dfa"}'
)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def open_g123(open_game: Any, platform: Platform) -> Callable[..., GameServer]:
    """A game server whose Guerdon reports to the platform; `settings` are lines of the section."""
    return lambda settings="", **kwargs: open_game(
        SECTION.format(platform.url) + settings, **kwargs
    )


@pytest.fixture
def game(open_g123: Callable[..., GameServer]) -> GameServer:
    return open_g123()


def test_it_works(game: GameServer, platform: Platform) -> None:
    answered = game.post("level_up", make_level_up(), wait=5)

    (request,) = platform.requests
    assert request.path == "/api/v1/cp/game_event/level_up"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == "Basic YXBwLTc6czNjcmV0LW9mLWcxMjM="
    assert base64.b64decode(request.headers["Authorization"][6:]) == b"app-7:s3cret-of-g123"
    assert request.fields == make_level_up(
        game_server_id="s73", custom={"physical_server": "s73.example"}
    )
    (report,) = answered["reports"]
    assert (report["state"], report["reporter"]) == ("delivered", "g123")
    assert report["response"] == {
        "action": "game_event_created",
        "id": "1",
        "token": platform.tokens[0],
    }


# The request.


class Recorder:
    """A network on which every host answers as G123's sample does; `urls` are those asked."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def request(self, method: str, url: str, **options: Any) -> HttpResponse:
        self.urls.append(f"{method} {url}")
        return HttpResponse(200, {}, REPLY)

    def close(self) -> None:
        pass


@on_sqlite
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", "https://h5.stg.g123.jp"),
        ('host = "https://h5.g123.jp"', "https://h5.g123.jp"),
        ('host = "https://h5.g123.jp/"', "https://h5.g123.jp"),
        ('host = "http://127.0.0.1:8001/g123"', "http://127.0.0.1:8001/g123"),
        ('host = { env = "G123_HOST" }', "https://from.env"),
    ],
)
def test_reports_go_to_staging_until_another_host_is_set(
    host: str, expected: str, write_config: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G123_HOST", "https://from.env")
    section = SECTION.replace('host = "{}"', host)
    network: Any = Recorder()
    guerdon = open_guerdon(write_config("", plugins="", more=section), clock, network)
    try:
        guerdon.migrate()
        GameServer(guerdon).post("level_up", make_level_up(), wait=1)
    finally:
        guerdon.close()

    assert network.urls == [f"POST {expected}{G123_PATH}"]


@on_sqlite
@pytest.mark.parametrize("secret", ["with:colon", "ключ 🔑", " spaces "])
def test_any_secret_is_sent_as_it_is(
    secret: str, open_game: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("G123_SECRET", secret)
    section = SECTION.format(platform.url).replace(f'"{SECRET}"', '{ env = "G123_SECRET" }')
    game = open_game(section)

    game.post("level_up", make_level_up(), wait=1)

    scheme, _, given = platform.requests[0].headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(given).decode()) == ("Basic", f"app-7:{secret}")


BOTH = {"server_id", "game_server_id"}


@on_sqlite
@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("", BOTH),
        ('server_id_fields = ["server_id", "game_server_id"]', BOTH),
        ('server_id_fields = ["game_server_id", "server_id"]', BOTH),
        ('server_id_fields = ["server_id"]', {"server_id"}),
        ('server_id_fields = ["game_server_id"]', {"game_server_id"}),
    ],
)
@pytest.mark.parametrize("given", ["server_id", "game_server_id"])
def test_the_server_goes_by_the_names_that_are_set_whatever_the_game_calls_it(
    setting: str, names: set[str], given: str, open_g123: Any, platform: Platform
) -> None:
    body = make_level_up()
    body[given] = body.pop("server_id")

    open_g123(setting).post("level_up", body, wait=1)

    sent = platform.requests[0].fields
    assert {name: sent[name] for name in BOTH & set(sent)} == dict.fromkeys(names, "s73")


TABLE_FORM = {"reg_server_id": "1", "physical_server": "s73.example"}
SAMPLE_FORM = {"device_id": "", "physical_server": "s73.example|10.0.0.1"}
PLAIN = {"reg_server_id": "1"}


@on_sqlite
@pytest.mark.parametrize(
    ("inner", "top", "mirror", "sent_inner", "sent_top"),
    [
        (TABLE_FORM, None, "", TABLE_FORM, {"physical_server": "s73.example"}),
        (TABLE_FORM, None, "true", TABLE_FORM, {"physical_server": "s73.example"}),
        (TABLE_FORM, None, "false", TABLE_FORM, None),
        (TABLE_FORM, {"device_id": "7"}, "true", TABLE_FORM,
         {"device_id": "7", "physical_server": "s73.example"}),
        (TABLE_FORM, {"device_id": "7"}, "false", TABLE_FORM, {"device_id": "7"}),
        (PLAIN, SAMPLE_FORM, "true",
         PLAIN | {"physical_server": "s73.example|10.0.0.1"}, SAMPLE_FORM),
        (PLAIN, SAMPLE_FORM, "false",
         PLAIN | {"physical_server": "s73.example|10.0.0.1"}, SAMPLE_FORM),
        ({}, SAMPLE_FORM, "", {"physical_server": "s73.example|10.0.0.1"}, SAMPLE_FORM),
    ],
)  # fmt: skip
def test_the_physical_server_stands_in_data_custom_and_is_mirrored_where_wanted(
    inner: Any, top: Any, mirror: str, sent_inner: Any, sent_top: Any, open_g123: Any,
    platform: Platform,
) -> None:  # fmt: skip
    body = make_level_up(data=make_level_up()["data"] | {"custom": inner})
    if top is not None:
        body["custom"] = top

    open_g123(f"mirror_custom = {mirror}" if mirror else "").post("level_up", body, wait=1)

    sent = platform.requests[0].fields
    assert (sent["data"]["custom"], sent.get("custom")) == (sent_inner, sent_top)


@on_sqlite
def test_the_role_and_whatever_else_the_game_knows_is_passed_through(
    game: GameServer, platform: Platform
) -> None:
    role = ROLE | {"名前": "勇者 🗡", "exp": 2**60, "rate": 1.5, "pets": [None, True, {"a": []}]}
    data = make_level_up()["data"] | {"role": role, "guild": {"id": 7}}
    body = make_level_up(data=data, platform="ios", level=0)

    game.post("level_up", body, wait=1)

    sent = platform.requests[0].fields
    assert sent["data"] == data
    assert (sent["platform"], sent["level"]) == ("ios", 0)
    assert str(2**60).encode() in platform.requests[0].body


def test_every_send_has_the_same_bytes_and_the_time_of_the_event(
    game: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = answer_in_turn(answer_status(503), answer_status(500), answer_g123)

    game.post("level_up", make_level_up())
    for _ in range(4):
        game.send_due()
        clock.advance(700)

    bodies = [request.body for request in platform.requests]
    assert bodies == [bodies[0]] * 3
    assert json.loads(bodies[0])["timestamp"] == 1605076260715
    assert len({request.headers["Authorization"] for request in platform.requests}) == 1


# The reply.

RAW_REPLIES = [
    REPLY,
    b'{ "action" : "x",\n\t"id":1.50, "big":123456789012345678901234567890,"e":1E2 }',
    '{"action":"レベル","escaped":"\\u30ec\\/","token":"t-123456"}'.encode(),
    b'{"twice":1,"twice":2}',
    b"{}",
    b' {"padded":true}\r\n',
    b'{"mark":"0-","list":[[],{},null]}',
]


@on_sqlite
@pytest.mark.parametrize("raw", RAW_REPLIES)
@pytest.mark.parametrize("status", [200, 201])
def test_the_reply_is_handed_on_byte_for_byte(
    raw: bytes, status: int, game: GameServer, platform: Platform
) -> None:
    platform.behave = answer_status(status, raw)

    responses = [game.post_raw("level_up", make_level_up(), wait=1) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert all(b'"response": ' + raw in response.data for response in responses)
    assert game.show_report()["response"] == json.loads(raw)
    assert len(platform.requests) == 1


@on_sqlite
def test_the_token_in_the_reply_is_shown_to_nobody_else(
    game: GameServer, platform: Platform
) -> None:
    game.post("level_up", make_level_up(), wait=1)

    (attempt,) = game.show_report()["attempts"]
    assert attempt["result"] == "delivered"
    assert json.loads(attempt["answer"])["token"] == "***"
    assert json.loads(attempt["answer"])["id"] == "1"


def test_only_the_first_success_is_ever_handed_on(
    game: GameServer, platform: Platform, clock: Clock
) -> None:
    """A send hangs until its lease has run out and another is over; then both succeed."""

    def hang_meanwhile(handler: Any) -> None:
        clock.advance(46)
        game.guerdon.outbox.serve_once()
        wait_until(lambda: game.show_report()["state"] == "delivered")
        answer_g123(handler)

    platform.behave = answer_in_turn(hang_meanwhile, answer_g123)
    answered = game.post("level_up", make_level_up(), wait=5)
    wait_until(lambda: all(one["ended_at"] for one in game.show_report()["attempts"]))

    taken_over, late = platform.tokens
    assert taken_over != late
    assert [one["result"] for one in game.show_report()["attempts"]] == ["delivered"] * 2
    for report in (*answered["reports"], game.show_report()):
        assert (report["sends"], report["response"]["token"]) == (2, taken_over)
    assert game.post("level_up", make_level_up())["reports"] == answered["reports"]


# What is sent again, and when.

AGAIN = {
    "408": answer_status(408),
    "429": answer_status(429, {"error": "slow down"}),
    "500": answer_status(500, REPLY),
    "503": answer_status(503, b"<html>"),
    "599": answer_status(599),
    "200 and no JSON": answer_status(200, b"<html>"),
    "200 and nothing": answer_status(200),
    "200 and a list": answer_status(200, [1]),
    "200 and a string": answer_status(200, b'"created"'),
    "200 and null": answer_status(200, b"null"),
    "200 and what only Python takes for JSON": answer_status(200, b'{"a":NaN}'),
    "200 and no UTF-8": answer_status(200, b'{"a":"\xff"}'),
    "204": answer_status(204),
    "a hang-up": hang_up,
    "a timeout": never_answer,
}


@on_sqlite
@pytest.mark.parametrize("name", AGAIN)
def test_these_failures_are_tried_again_after_two_seconds(
    name: str, open_g123: Any, platform: Platform, clock: Clock
) -> None:
    game = open_g123("timeout = 0.3")
    platform.behave = AGAIN[name]
    answered = game.post("level_up", make_level_up(), wait=1)

    (report,) = answered["reports"]
    assert (report["state"], report["sends"], report["response"]) == ("ready", 1, None)
    row = game.read_reports()[0]
    assert 1600 <= row.due_at - clock.now <= 2400
    assert row.last_error

    clock.now = row.due_at - 1001
    game.send_due()
    assert len(platform.requests) == 1
    clock.now = row.due_at
    platform.behave = answer_g123
    assert game.send_due().state == "delivered"


@on_sqlite
def test_where_nobody_listens_it_is_tried_again(open_game: Any, clock: Clock) -> None:
    game = open_game(SECTION.format(f"http://127.0.0.1:{find_free_port()}"))

    game.post("level_up", make_level_up(), wait=1)

    row = game.read_reports()[0]
    assert (row.state, row.last_error) == ("ready", "no connection")
    assert 1600 <= row.due_at - clock.now <= 2400


@on_sqlite
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 451])
def test_any_other_4xx_stops_at_once(
    status: int, game: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = answer_status(status, {"error": "no"}, Retry_After="1")
    response = game.post_raw("level_up", make_level_up(), wait=1)

    assert response.status_code == 202
    (report,) = response.get_json()["reports"]
    assert (report["state"], report["sends"]) == ("dead", 1)
    clock.advance(86400)
    game.send_due()
    assert len(platform.requests) == 1
    shown = game.show_report()
    assert str(status) in shown["last_error"]
    assert ("credentials" in shown["last_error"]) == (status in (401, 403))
    assert shown["attempts"][0]["status"] == status


DATE = formatdate(1_800_000_090, usegmt=True)  # 90 s after the clock's beginning


@on_sqlite
@pytest.mark.parametrize("status", [408, 429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30), (" 45 ", 45), ("7200", 7200), (DATE, 90), ("Friday, 15-Jan-27 08:01:30 GMT", 90),
        ("soon", None), ("", None), ("-5", None), ("1.5", None), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    status: int, header: str, seconds: int | None, game: GameServer, platform: Platform,
    clock: Clock,
) -> None:  # fmt: skip
    raw = header.encode().decode("latin-1")  # as http.server wants it
    platform.behave = answer_status(status, Retry_After=raw)

    game.post("level_up", make_level_up(), wait=1)

    wait_ms = game.read_reports()[0].due_at - clock.now
    assert (wait_ms == seconds * 1000) if seconds else (1600 <= wait_ms <= 2400)


@on_sqlite
def test_a_retry_after_in_the_past_is_almost_now(
    game: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = answer_status(503, Retry_After=formatdate(1_799_999_000, usegmt=True))

    game.post("level_up", make_level_up(), wait=1)

    assert game.read_reports()[0].due_at - clock.now <= 1000


def send_until_dead(game: GameServer, clock: Clock) -> list[float]:
    """Seconds since the first send of each send."""
    while (row := game.send_due()).state == "ready":
        clock.now = max(clock.now + 1000, row.due_at)
    assert row.state == "dead"
    with game.guerdon.database.connection_context():
        begun = [send.begun_at for send in Send.select().order_by(Send.number)]
    return [(at - begun[0]) / 1000 for at in begun]


@on_sqlite
def test_pauses_double_from_two_seconds_to_ten_minutes_for_a_day(
    game: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = answer_status(503)
    game.post("level_up", make_level_up())

    sent = send_until_dead(game, clock)

    pauses = [later - earlier for earlier, later in pairwise(sent)][:-1]  # the last is cut short
    plain = [min(2.0 * 2**number, 600.0) for number in range(len(pauses))]
    shares = [pause / usual for pause, usual in zip(pauses, plain, strict=True)]
    assert all(0.79 <= share <= 1.21 for share in shares)
    assert max(pauses) < 600.001
    assert len({round(share, 2) for share in shares}) > 5  # jittered
    assert 86400 - 600 <= sent[-1] <= 86400 + 61
    assert len(platform.requests) == len(sent)


@on_sqlite
def test_how_long_it_is_tried_is_a_setting(
    open_g123: Any, platform: Platform, clock: Clock
) -> None:
    game = open_g123("give_up_after = 60")
    platform.behave = hang_up
    game.post("level_up", make_level_up())

    assert 59 <= send_until_dead(game, clock)[-1] <= 61


# One report.


def test_there_is_one_report_for_each_player_server_and_level(
    game: GameServer, platform: Platform
) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"timestamp": 7}, {"ctwid": "other"}, {"uid": "124"}, {"server_id": "S73"},
        {"level": 11}, {"uid": "a:b", "server_id": "c"}, {"uid": "a", "server_id": "b:c"}, {},
    ]  # fmt: skip

    ids = [
        game.post("level_up", make_level_up(**change), wait=1)["reports"][0]["id"]
        for change in changes
    ]

    assert len(set(ids)) == len(platform.requests) == 6
    assert ids[0] == ids[1] == ids[2] == ids[8]
    keys = [row.key for row in game.read_reports()]
    assert keys[0] == "app-7:123:s73:10"
    assert len(set(keys)) == 6


@on_sqlite
def test_an_event_of_another_type_is_not_reported(game: GameServer) -> None:
    answered = game.post("game_start", make_start())

    assert answered["reports"] == []


# Settings.

FAULTS = [
    ('app_id = "a"', "app_secret: is missing"),
    ('app_secret = "s"', "app_id: is missing"),
    ('app_id = ""\napp_secret = "s"', "app_id"),
    ('app_id = "a:b"\napp_secret = "s"', "app_id"),
    ('app_id = "a"\napp_secret = ""', "app_secret: is empty"),
    ('app_id = "a"\napp_secret = { env = "NOT_SET" }', "app_secret: the environment variable"),
    ('host = "h5.g123.jp"', "host: must be an address"),
    ('host = "ftp://h5.g123.jp"', "host: must be an address"),
    ("server_id_fields = []", "server_id_fields"),
    ('server_id_fields = ["sid"]', "server_id_fields[0]"),
    ('server_id_fields = "server_id"', "server_id_fields: must be a list"),
    ("mirror_custom = 2", "mirror_custom: must be true or false"),
    ('mirror_custom = "yes"', "mirror_custom: must be true or false"),
    ("timeout = 0", "timeout"),
    ("timeout = 31", "timeout"),
    ("give_up_after = 0", "give_up_after"),
    ('api_key = "x"', "api_key: is not a setting we know"),
]


@on_sqlite
@pytest.mark.parametrize(("lines", "fault"), FAULTS)
def test_a_wrong_setting_stops_the_start_and_is_named(
    lines: str, fault: str, write_config: Any
) -> None:
    if "app_" not in lines:
        lines += '\napp_id = "a"\napp_secret = "s"'

    with pytest.raises(ConfigError) as error:
        open_guerdon(write_config("", plugins="", more=f"[plugins.g123]\n{lines}"))

    assert len(error.value.faults) == 1
    assert f"[plugins.g123] {fault}" in error.value.faults[0]


def test_a_level_of_another_game_is_none_of_its_business() -> None:
    event = Event("studio", "level_up", "42", data={"hero": "Ann", "level": 3})

    settings: Any = {}
    assert g123.build_report(event, settings) is None
