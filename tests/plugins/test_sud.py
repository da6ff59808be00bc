"""Sud's rounds, as its sheet says: sent to an app's server, received as one, and one to the other."""

import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from app import create_app, sign_lines
from app.database.models import Attempt, Event, Grant, Report, Waiting
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.porch.fields import Secret
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.deliveries import API_KEY, get_v1
from app.testing.platforms import (
    SUD_PATH,
    Platform,
    answer_in_turn,
    answer_status,
    answer_sud,
    hang_up,
    never_answer,
)
from app.testing.players import add_player
from app.testing.ports import find_free_port
from tests.world import sud
from tests.world.books import serve_once
from tests.world.game_server import (
    BIG_ID,
    GameServer,
    make_level_up,
    make_result,
    make_settle,
    make_start,
)
from tests.world.proxying import Proxy
from tests.world.sud import APP_ID, KEYS, SECRET, STAMP, Sud, make_headers, make_token

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SEED_SETTLE = b"""{
	"report_type": "game_settle",
	"report_msg": {
		"mg_id": 1461227817776713818,
		"mg_id_str": "1461227817776713818",
		"room_id": "xxx123",
		"game_mode": 1,
		"game_round_id": "ce56b6lzi1a7-cehorlmy01pq-cqkdd39jyrmz",
		"battle_start_at": 1638845715,
		"battle_end_at": 1638845720,
		"battle_duration": 5,
		"results": [{
			"uid": "u2",
			"rank": 1,
			"is_escaped": 0,
			"is_ai": 0,
			"role": 0,
			"score":1,
			"is_win":1
		}, {
			"uid": "",
			"rank": 2,
			"is_escaped": 0,
			"is_ai": 1,
			"role": 0,
			"score":2,
			"is_win":0
		}],
		"report_game_info_extras":"custom param"
	},
	"uid": "u1",
	"ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"
}
"""
SEED_START = b"""{
	"report_type": "game_start",
	"report_msg": {
		"mg_id": 1461227817776713818,
		"mg_id_str": "1461227817776713818",
		"room_id": "xxx123",
		"game_mode": 1,
		"game_round_id": "ce56b6lzi1a7-cehorlmy01pq-cqkdd39jyrmz",
		"battle_start_at": 1638845715,
		"players": [{
			"uid": "u2",
			"is_ai": 0
		}, {
			"uid": "u1",
			"is_ai": 0
		}],
		"report_game_info_extras":"custom param"
	},
	"uid": "u1",
	"ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb",
	
}
"""  # noqa: W293  (as it stands there)


# The sender.


@pytest.fixture
def open_sender(open_game: Any, platform: Platform) -> Callable[..., GameServer]:
    """A game server whose Guerdon reports to the platform; `settings` are lines of the section."""

    def open_one(settings: str = KEYS, **kwargs: Any) -> GameServer:
        section = f'[plugins.sud]\nreport_url = "{platform.sud_url}"\n{settings}'
        game: GameServer = open_game(section, **kwargs)
        return game

    return open_one


@pytest.fixture
def sender(open_sender: Callable[..., GameServer]) -> GameServer:
    return open_sender()


def test_it_works(sender: GameServer, platform: Platform) -> None:
    for type, body in (("game_start", make_start()), ("game_settle", make_settle())):
        answered = sender.post(type, body, wait=5)

        (report,) = answered["reports"]
        assert (report["state"], report["kind"]) == ("delivered", type)
        assert report["response"] == {"ret_code": 0, "ret_msg": "", "data": {}}
        request = platform.requests[-1]
        assert (request.path, request.headers["Content-Type"]) == (SUD_PATH, "application/json")
        message = body["report_msg"] | {"mg_id_str": str(BIG_ID)}
        assert request.fields == {"report_type": type, **body, "report_msg": message}
    assert len(platform.requests) == 2


def test_the_sheets_signature_is_reproduced() -> None:
    lines = [APP_ID, "1646382565", "keVJLJTItd1VBtGT", b'{"report_type":"game_start"}']

    signature = sign_lines(Secret("guerdon-demo-secret", ""), lines, "sha1")

    assert signature == "1e95fe5ced8e0da93282c88b9a93b14b5088ccf4"


@on_sqlite
@pytest.mark.parametrize("mg_id", [BIG_ID, 2**53 + 1, 2**63 - 1, -(2**63), 0])
def test_the_games_id_is_exact_as_number_and_as_text(
    mg_id: int, sender: GameServer, platform: Platform
) -> None:
    given = make_start("1", mg_id=mg_id, mg_id_str=str(mg_id))
    sender.post("game_start", given, wait=1)
    sender.post("game_settle", make_settle("2", mg_id=mg_id), wait=1)

    assert len(platform.requests) == 2
    for request in platform.requests:
        assert f'"mg_id":{mg_id},'.encode() in request.body
        assert f'"mg_id_str":"{mg_id}"'.encode() in request.body


@on_sqlite
def test_a_robot_has_no_uid_whatever_the_game_calls_it(
    sender: GameServer, platform: Platform
) -> None:
    human = {"uid": "u1", "is_ai": 0}
    robots = [{"uid": "bot-7", "is_ai": 1}, {"is_ai": 1}, {"uid": "", "is_ai": 1, "ai_level": 2}]
    results = [make_result("u1", 1), make_result("", 2) | {"uid": "bot-7"}]

    sender.post("game_start", make_start(players=[human, *robots]), wait=1)
    sender.post("game_settle", make_settle(results=results), wait=1)

    start, settle = (request.fields["report_msg"] for request in platform.requests)
    assert start["players"] == [human] + [robot | {"uid": ""} for robot in robots]
    assert [result["uid"] for result in settle["results"]] == ["u1", ""]


CUTS: list[tuple[str, str, str]] = [
    ("report_game_info_extras", "a" * 1024, "a" * 1024),
    ("report_game_info_extras", "a" * 1025, "a" * 1024),
    ("report_game_info_extras", "€" * 342, "€" * 341),
    ("report_game_info_extras", "é" * 512, "é" * 512),
    ("report_game_info_extras", "a" + "é" * 512, "a" + "é" * 511),
    ("report_game_info_extras", "a" + "😀" * 300, "a" + "😀" * 255),
    ("report_game_info_extras", "", ""),
    ("report_game_info_key", "k" * 64, "k" * 64),
    ("report_game_info_key", "k" * 65, "k" * 64),
    ("report_game_info_key", "k" + "é" * 40, "k" + "é" * 31),
    ("report_game_info_key", "😀" * 17, "😀" * 16),
]


@on_sqlite
@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_a_text_that_is_too_long_is_cut_in_bytes_and_never_inside_a_character(
    type: str, sender: GameServer, platform: Platform
) -> None:
    make = make_start if type == "game_start" else make_settle
    for number, (field, given, sent) in enumerate(CUTS):
        sender.post(type, make(f"r{number}", **{field: given}), wait=1)

        assert platform.requests[-1].fields["report_msg"][field] == sent, (field, given)
        kept = get_v1(sender.guerdon, f"/events/{type}/r{number}")["data"]["report_msg"]
        assert kept[field] == given  # the event itself keeps all of it
    assert len(platform.requests) == len(CUTS)


@on_sqlite
def test_what_sud_adds_later_and_the_game_already_tells_is_passed_on(
    sender: GameServer, platform: Platform
) -> None:
    results = [make_result("u1", 1, award=5, is_managed=1, extras='{"a":1}', new=[1.5, None])]
    body = make_settle(results=results, season={"n": 2**60}, report_game_info_key="k")
    body |= {"sdk": "1.2", "名前": "勇者"}

    sender.post("game_settle", body, wait=1)

    sent = platform.requests[0].fields
    assert sent["report_msg"] == body["report_msg"] | {"mg_id_str": str(BIG_ID)}
    assert (sent["sdk"], sent["名前"], sent["ss_token"]) == ("1.2", "勇者", body["ss_token"])


@on_sqlite
def test_every_send_has_the_same_bytes_and_a_signature_of_its_own(
    sender: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = lambda handler: answer_sud(handler, 1, "later")
    sender.post("game_settle", make_settle(room_id="комната"))
    for _ in range(6):
        sender.send_due()
        clock.advance(60)

    sent = platform.requests
    assert [request.body for request in sent] == [sent[0].body] * 4
    stamps = [request.headers["Sud-Timestamp"] for request in sent]
    assert stamps == [str(int(STAMP) + 60 * number) for number in range(4)]
    nonces = [request.headers["Sud-Nonce"] for request in sent]
    assert len(set(nonces)) == 4
    assert min(map(len, nonces)) >= 12
    for request, stamp, nonce in zip(sent, stamps, nonces, strict=True):
        assert request.headers["Sud-AppId"] == APP_ID
        right = sud.sign(request.body, SECRET, APP_ID, stamp, nonce)
        assert request.headers["Sud-Signature"] == right


@on_sqlite
def test_without_a_secret_nothing_is_signed(open_sender: Any, platform: Platform) -> None:
    open_sender("").post("game_start", make_start(), wait=1)

    (request,) = platform.requests
    assert not [name for name in request.headers if name.lower().startswith("sud-")]


FAILURES = {
    "ret_code 1": answer_status(200, {"ret_code": 1, "ret_msg": "no", "data": {}}),
    "ret_code -1": answer_status(200, {"ret_code": -1}),
    "no ret_code": answer_status(200, {"ret_msg": "", "data": {}}),
    "ret_code null": answer_status(200, {"ret_code": None}),
    "ret_code as text": answer_status(200, {"ret_code": "0"}),
    "ret_code false": answer_status(200, {"ret_code": False}),
    "ret_code 0.0": answer_status(200, b'{"ret_code":0.0}'),
    "ret_code in a list": answer_status(200, {"ret_code": [0]}),
    "a list": answer_status(200, [{"ret_code": 0}]),
    "no JSON": answer_status(200, b"ok"),
    "nothing": answer_status(200),
    "comments in JSON": answer_status(200, b'{"ret_code": 0,// success\n"data": {}}'),
    **{
        f"HTTP {status}": answer_status(status, {"ret_code": 0, "ret_msg": "", "data": {}})
        for status in (201, 202, 301, 400, 401, 403, 404, 429, 500, 503)
    },
    "HTTP 204": answer_status(204),
    "a later time asked for": answer_status(503, Retry_After="7"),
    "a hang-up": hang_up,
    "a timeout": never_answer,
}


@on_sqlite
@pytest.mark.parametrize("name", FAILURES)
def test_anything_but_ret_code_0_with_http_200_is_tried_again_after_a_minute(
    name: str, open_sender: Any, platform: Platform, clock: Clock
) -> None:
    sender = open_sender(f"{KEYS}timeout = 0.3")
    platform.behave = FAILURES[name]
    answered = sender.post("game_settle", make_settle(), wait=1)

    (report,) = answered["reports"]
    assert (report["state"], report["sends"], report["response"]) == ("ready", 1, None)
    row = sender.read_reports()[0]
    assert row.due_at == clock.now + 60_000
    assert row.last_error
    platform.behave = answer_sud
    clock.advance(60)
    assert sender.send_due().state == "delivered"


@on_sqlite
def test_what_the_app_says_of_a_failure_is_kept_and_its_reply_passed_on_as_it_is(
    sender: GameServer, platform: Platform, clock: Clock
) -> None:
    raw = b'{"ret_code": 0, "ret_msg": "", "data": {"a":1.50}, "sdk_error_code":0}'
    platform.behave = answer_in_turn(
        lambda handler: answer_sud(handler, 7, "room is full"), answer_status(200, raw)
    )

    sender.post("game_start", make_start(), wait=1)
    assert "ret_code 7: room is full" in sender.show_report()["last_error"]
    clock.advance(60)
    sender.send_due()

    assert b'"response": ' + raw in sender.post_raw("game_start", make_start()).data


def run_schedule(sender: GameServer, clock: Clock, restart: Any = None) -> list[float]:
    """Send until the report is dead, looking every half second; seconds from its first send."""
    begun: list[float] = []
    began = clock.now
    while (row := sender.send_due()).state == "ready":
        if row.sends > len(begun):
            begun.append((clock.now - began) / 1000)
            sender = restart() if restart else sender
        clock.now = min(clock.now + 30_000, row.due_at)
    assert row.state == "dead"
    return [*begun, (clock.now - began) / 1000]


LATER_LIST = [60, 60, 60, 240, 600, 600, 3600, 7200, 14400, 28800]


@on_sqlite
@pytest.mark.parametrize(
    ("setting", "delays"),
    [
        ("", [60, 60, 60]),
        ("retry_delays = []", []),
        ("retry_delays = [5]", [5]),
        ("retry_delays = [3.5, 2, 90]", [3.5, 2, 90]),
        (f"retry_delays = {LATER_LIST}", LATER_LIST),
    ],
)
def test_it_is_sent_again_by_its_list_and_never_once_more(
    setting: str, delays: list[float], open_sender: Any, platform: Platform, clock: Clock
) -> None:
    sender = open_sender(KEYS + setting)
    platform.behave = lambda handler: answer_sud(handler, 1)
    sender.post("game_settle", make_settle())

    times = run_schedule(sender, clock)

    assert times == [sum(delays[:number]) for number in range(len(delays) + 1)]
    assert len(platform.requests) == len(times)
    clock.advance(86400)
    assert sender.send_due().state == "dead"
    assert len(platform.requests) == len(times)


def test_restarts_in_between_change_nothing(
    open_sender: Any, platform: Platform, clock: Clock
) -> None:
    sender = open_sender()
    path, opened = sender.guerdon.config.path, [sender.guerdon]
    platform.behave = lambda handler: answer_sud(handler, 1)
    sender.post("game_settle", make_settle())

    def restart() -> GameServer:
        opened.pop().close()
        opened.append(open_guerdon(path, clock))
        return GameServer(opened[0])

    try:
        assert run_schedule(sender, clock, restart) == [0, 60, 120, 180]
    finally:
        opened.pop().close()
    assert len(platform.requests) == 4


@on_sqlite
def test_nothing_is_reported_without_a_report_url_and_nothing_but_rounds(
    open_game: Any, open_sender: Any, platform: Platform
) -> None:
    assert open_sender().post("level_up", make_level_up())["reports"] == []
    assert platform.requests == []


@on_sqlite
def test_a_receiver_reports_nothing(open_game: Any) -> None:
    assert open_game(f"[plugins.sud]\n{KEYS}").post("game_start", make_start())["reports"] == []


# The receiver.

REWARDS = """
[[rules]]
name = "the winner"
on = "game_settle"
where = { rank = 1 }
give = [{ reward = "gold", amount = "100.00" }]

[[rules]]
name = "who played"
on = "game_settle"
where = { rank = { at_least = 2 } }
give = [{ reward = "gold", amount = "7.00" }]
"""


@pytest.fixture
def open_receiver(open_service: Callable[..., Guerdon]) -> Callable[..., Sud]:
    """Sud before a Guerdon that knows the players u1 and u2; `settings` are lines of the section."""

    def open_one(
        settings: str = KEYS, more: str = "", players: Sequence[str] = ("u1", "u2")
    ) -> Sud:
        sections = f"[plugins.gold]\n[plugins.sud]\n{settings}\n{more}"
        guerdon = open_service(REWARDS, plugins="", more=sections)
        for name in players:
            add_player(guerdon, name)
        return Sud(guerdon)

    return open_one


@pytest.fixture
def receiver(open_receiver: Callable[..., Sud]) -> Sud:
    return open_receiver()


def count_rows(guerdon: Guerdon) -> int:
    """Rows in every table that a report may write."""
    with guerdon.database.connection_context():
        return sum(model.select().count() for model in (Event, Grant, Waiting, Attempt, Report))


def read_gold(receiver: Sud) -> dict[str, str]:
    gold = read_books(receiver.guerdon).gold
    return {name: gold[name] for name in gold if name != "Bob"}


def test_a_settle_pays_each_human_by_rank_and_a_start_nothing(receiver: Sud) -> None:
    assert receiver.post("game_start", make_start())["ret_code"] == 0
    assert read_gold(receiver) == {"u1": "0.00", "u2": "0.00"}

    assert receiver.post("game_settle", make_settle())["ret_code"] == 0

    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}
    whole = get_v1(receiver.guerdon, "/events/game_settle/round-1")
    assert (whole["source"], whole["state"], whole["user_id"]) == ("sud", "settled", "u1")
    assert whole["occurred_at"] == "2021-12-07T02:55:20.000Z"
    assert [grant["user_id"] for grant in whole["grants"]] == ["u2", "u1"]
    winner = get_v1(receiver.guerdon, "/events/game_settle/round-1:u2")
    assert winner["server_id"] == str(BIG_ID)
    facts = {name: winner["data"][name] for name in ("rank", "score", "is_win", "is_escaped")}
    assert facts == {"rank": 1, "score": 9, "is_win": 2, "is_escaped": 0}


@on_sqlite
def test_the_documents_settle_is_taken_and_its_start_with_the_trailing_comma_is_not(
    receiver: Sud,
) -> None:
    refused = receiver.post_raw(SEED_START)

    assert "not JSON" in refused["ret_msg"]
    assert count_rows(receiver.guerdon) == 0
    assert receiver.post_raw(SEED_SETTLE)["ret_code"] == 0
    assert read_gold(receiver) == {"u1": "0.00", "u2": "100.00"}
    start = SEED_START.replace(b'cfb",\n\t\n}', b'cfb"}')
    assert receiver.post_raw(start)["ret_code"] == 0


def test_a_duplicate_is_answered_with_0_and_paid_once(receiver: Sud) -> None:
    other = make_settle(results=[make_result("u1", 1)])
    for body in (make_settle(), make_settle(), other):
        for type, report in (("game_settle", body), ("game_start", make_start())):
            assert receiver.post(type, report)["ret_code"] == 0

    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}
    assert len(read_books(receiver.guerdon).events) == 6


def test_a_settle_may_come_before_its_start(receiver: Sud) -> None:
    assert receiver.post("game_settle", make_settle())["ret_code"] == 0
    assert receiver.post("game_start", make_start())["ret_code"] == 0

    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}
    start = get_v1(receiver.guerdon, "/events/game_start/round-1")
    assert (start["state"], start["occurred_at"]) == ("settled", "2021-12-07T02:55:15.000Z")


def test_rounds_that_differ_in_case_are_different_rounds(receiver: Sud) -> None:
    for id in ("AbC", "abc", "AbC", "abc "):
        assert receiver.post("game_settle", make_settle(id))["ret_code"] == 0

    assert read_gold(receiver)["u2"] == "300.00"


@on_sqlite
def test_unknown_fields_are_kept_as_they_came(receiver: Sud) -> None:
    results = [make_result("u2", 1, new={"deep": [1.5, None, "é"]}, ratio=0.1, big=2**60)]
    body = make_settle(results=results, season=4.25, list=[1], mg_id=2**63 - 1)

    assert receiver.post("game_settle", body, later={"a": True})["ret_code"] == 0

    whole = get_v1(receiver.guerdon, "/events/game_settle/round-1")["data"]
    assert whole["report_msg"] == body["report_msg"]
    assert whole["later"] == {"a": True}
    player = get_v1(receiver.guerdon, "/events/game_settle/round-1:u2")["data"]
    assert {name: player[name] for name in results[0]} == results[0]
    assert (player["season"], player["mg_id"]) == (4.25, 2**63 - 1)


@on_sqlite
@pytest.mark.parametrize("type", ["game_pause", "GAME_SETTLE", "", "level_up"])
def test_a_report_of_another_type_is_answered_with_0_and_left_alone(
    type: str, receiver: Sud
) -> None:
    assert receiver.post(type, make_settle())["ret_code"] == 0
    assert receiver.post(type, {"report_msg": None, "uid": 7})["ret_code"] == 0
    assert count_rows(receiver.guerdon) == 0


BAD_BODIES: dict[str, Any] = {
    "no type": {"report_type": None},
    "a type that is a list": {"report_type": ["game_settle"]},
    "a type that is an object": {"report_type": {}},
    "no message": {"report_msg": None},
    "a message in text": {"report_msg": json.dumps(make_settle()["report_msg"])},
    "no round": make_settle(game_round_id=None),
    "an empty round": make_settle(game_round_id=""),
    "a round in a number": make_settle(game_round_id=7),
    "a round that is half a letter": make_settle(game_round_id="r\ud83d"),
    "a leader who is half a letter": {"uid": "u\ud83d"},
    "a leader of many letters": {"uid": "u" * 256},
    "a player who is half a letter": make_settle(results=[make_result("u\ud83d", 1)]),
    "a player of many letters": make_settle(results=[make_result("u" * 256, 1)]),
    "no results": make_settle(results=None),
    "results in an object": make_settle(results={"u1": 1}),
    "a result in text": make_settle(results=["u1"]),
    "a uid in a number": make_settle(results=[make_result("u2", 1) | {"uid": 7}]),
    "one player twice": make_settle(
        results=[make_result("u1", 1), make_result("u2", 2), make_result("u1", 3)]
    ),
}
BAD_BYTES = [
    b"", b"{", b"null", b"[]", b"{}{}", b'"game_settle"', b"\xef\xbb\xbf{}", b'{"a":"\xff"}',
    b'{"a":NaN}', b'{"a":1e999}', b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000,
    b" " * (1 << 20) + b"{}", b"{" * 3_000_000,
]  # fmt: skip


@on_sqlite
def test_a_report_without_what_an_event_needs_is_refused_and_not_stored(receiver: Sud) -> None:
    for name, changes in BAD_BODIES.items():
        body = {"report_type": "game_settle"} | make_settle() | changes

        reply = receiver.post_raw(json.dumps(body).encode())

        assert reply["ret_code"] == 400, name
        assert ("uid is" if "leader" in name else "report_") in reply["ret_msg"], name
    assert count_rows(receiver.guerdon) == 0


@on_sqlite
def test_bytes_that_are_no_report_are_refused_in_suds_form(receiver: Sud) -> None:
    for raw in BAD_BYTES:
        assert receiver.post_raw(raw)["ret_code"] in (400, 413), raw[:20]
    assert count_rows(receiver.guerdon) == 0


@on_sqlite
def test_whatever_the_values_are_the_answer_is_suds(receiver: Sud) -> None:
    odd: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        2**80,
        "",
        "x" * 300,
        "\ud800",
        [],
        {},
        [[]],
        {"": {}},
    ]
    for number, value in enumerate(odd):
        for name in ("report_type", "report_msg", "uid", "ss_token"):
            receiver.post("game_settle", make_settle(f"top-{name}-{number}"), **{name: value})
        for name in make_settle()["report_msg"]:
            receiver.post(
                "game_settle", make_settle(**{"game_round_id": f"{name}-{number}"} | {name: value})
            )
        for name in make_result("u1", 1):
            results = [make_result("u1", 1) | {name: value}]
            receiver.post("game_settle", make_settle(f"{name}-{number}", results=results))

    assert receiver.post("game_settle", make_settle())["ret_code"] == 0


# Its signature.


@on_sqlite
def test_the_sheets_signed_request_is_let_in(open_receiver: Any) -> None:
    body = b'{"report_type":"game_start"}'
    headers = {
        "Sud-AppId": "1461564080052506636",
        "Sud-Timestamp": "1646382565",
        "Sud-Nonce": "keVJLJTItd1VBtGT",
        "Sud-Signature": "1e95fe5ced8e0da93282c88b9a93b14b5088ccf4",
    }
    receiver = open_receiver(f'app_id = "{APP_ID}"\napp_secret = "guerdon-demo-secret"')

    assert "report_msg" in receiver.post_raw(body, headers)["ret_msg"]
    refused = receiver.post_raw(body + b" ", headers)
    assert refused["sdk_error_code"] == 1002


BODY = json.dumps({"report_type": "game_settle", **make_settle()}).encode()
RIGHT = make_headers(BODY)
WRONG_HEADERS = {
    "none": {},
    "no signature": {name: RIGHT[name] for name in RIGHT if name != "Sud-Signature"},
    "no timestamp": {name: RIGHT[name] for name in RIGHT if name != "Sud-Timestamp"},
    "no nonce": {name: RIGHT[name] for name in RIGHT if name != "Sud-Nonce"},
    "an empty signature": RIGHT | {"Sud-Signature": ""},
    "a part of it": RIGHT | {"Sud-Signature": RIGHT["Sud-Signature"][:20]},
    "in capitals": RIGHT | {"Sud-Signature": RIGHT["Sud-Signature"].upper()},
    "another": RIGHT | {"Sud-Signature": "0" * 40},
    "letters beyond ASCII": RIGHT | {"Sud-Signature": "é" * 40},
    "another nonce": RIGHT | {"Sud-Nonce": "x"},
    "another time": RIGHT | {"Sud-Timestamp": "1800000001"},
    "another secret": make_headers(BODY, secret="another"),
    "of another body": make_headers(BODY + b" "),
    "without the last newline": RIGHT
    | {"Sud-Signature": sud.sign(BODY[:-1], SECRET, APP_ID, STAMP, RIGHT["Sud-Nonce"])},
    "another app's": RIGHT
    | {"Sud-AppId": "7", "Sud-Signature": sud.sign(BODY, SECRET, "7", STAMP, RIGHT["Sud-Nonce"])},
}


@on_sqlite
def test_a_wrong_signature_is_refused_with_1002_and_nothing_is_stored(receiver: Sud) -> None:
    for name, headers in WRONG_HEADERS.items():
        reply = receiver.post_raw(BODY, headers)

        assert (reply["ret_code"], reply["sdk_error_code"]) == (401, 1002), name
    assert count_rows(receiver.guerdon) == 0
    assert receiver.post_raw(BODY, RIGHT)["ret_code"] == 0


@on_sqlite
@pytest.mark.parametrize(
    ("max_age", "stamp", "is_taken"),
    [
        ("", "1", True), ("", "1646382565000", True), ("", "soon", True),
        ("300", "1800000000", True), ("300", "1800000000000", True),
        ("300", "1799999700", True), ("300", "1799999699", False),
        ("300", "1799999700000", True), ("300", "1799999699999", False),
        ("300", "1800000300", True), ("300", "1800000301", False),
        ("300", "1800000300001", False), ("300", "0", False), ("300", "-1800000000", False),
        ("300", "1.8e9", False), ("300", "", False), ("300", "1" * 400, False),
        ("0", "1", True), ("0.5", "1799999999500", True), ("0.5", "1799999999", False),
    ],
)  # fmt: skip
def test_how_old_a_request_may_be_is_a_setting_in_seconds_and_off_by_default(
    max_age: str, stamp: str, is_taken: bool, open_receiver: Any
) -> None:
    receiver = open_receiver(KEYS + (f"max_age = {max_age}" if max_age else ""))

    reply = receiver.post_raw(BODY, make_headers(BODY, stamp=stamp))

    assert reply["ret_code"] == (0 if is_taken else 401)
    assert reply.get("sdk_error_code") == (None if is_taken else 1002)
    assert count_rows(receiver.guerdon) == (5 if is_taken else 0)


@on_sqlite
@pytest.mark.parametrize("more", ["", 'report_url = "http://127.0.0.1:9/"\n'])
def test_without_a_secret_a_receiver_takes_what_comes_only_where_the_config_says_so(
    more: str, open_receiver: Any
) -> None:
    receiver = open_receiver(f"{more}unsigned = true")

    assert receiver.post_raw(BODY, {})["ret_code"] == 0


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")


@on_sqlite
def test_a_body_without_a_signature_is_not_even_read_and_none_is_parsed_before(
    receiver: Sud,
) -> None:
    client = create_app(receiver.guerdon).test_client()
    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000000"}
    for name in ("none", "no signature", "a part of it", "letters beyond ASCII"):
        headers = WRONG_HEADERS[name]
        reply = client.post("/webhooks/sud", headers=headers, environ_overrides=environ).get_json()
        assert reply["sdk_error_code"] == 1002, name

    for body in (b"{", b'{"a":NaN}', b"[" * 1_000_000):  # nothing is said of what they hold
        assert receiver.post_raw(body, RIGHT)["sdk_error_code"] == 1002


@on_sqlite
def test_who_only_sends_takes_nothing_unsigned(open_receiver: Any, platform: Platform) -> None:
    receiver = open_receiver(f'report_url = "{platform.sud_url}"')

    for headers in ({}, RIGHT, make_headers(BODY, secret="")):
        reply = receiver.post_raw(BODY, headers)
        assert (reply["ret_code"], reply["sdk_error_code"]) == (401, 1002)
    assert count_rows(receiver.guerdon) == 0


@on_sqlite
def test_what_is_received_is_not_sent_on(open_receiver: Any, platform: Platform) -> None:
    receiver = open_receiver(f'{KEYS}report_url = "{platform.sud_url}"')
    body = make_settle(report_game_info_extras=None, report_game_info_key=7)

    assert receiver.post("game_settle", body)["ret_code"] == 0
    game = GameServer(receiver.guerdon)
    assert game.read_reports() == []
    assert len(game.post("game_settle", make_settle(), wait=1)["reports"]) == 1
    assert len(platform.requests) == 1


# Its tokens.

NOW = int(STAMP)
TOKENS: dict[str, tuple[Any, int | None]] = {
    "right": (make_token(), None),
    "with more claims": (make_token(nbf=NOW + 9, iat=NOW + 9, aud="x", iss="y", sub=8), None),
    "for ever": (make_token(exp=2**40), None),
    "until a part of a second": (make_token(exp=NOW + 0.5), None),
    "of another key": (make_token("another-key-that-is-long-enough-for-it"), 1004),
    "of another app": (make_token(app_id="7"), 1004),
    "of no app": (make_token(app_id=None), 1004),
    "of another user": (make_token(uid="u2"), 1004),
    "of no user": (make_token(uid=None), 1004),
    "without an end": (make_token(exp=None), 1004),
    "with an end in text": (make_token(exp=str(NOW + 9)), 1004),
    "signed by another algorithm": (make_token(SECRET * 2, algorithm="HS512"), 1004),
    "unsigned": (make_token("", algorithm="none"), 1004),
    "no token": ("fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb", 1004),
    "empty": ("", 1004),
    "null": (None, 1004),
    "a number": (7, 1004),
    "a list": ([make_token()], 1004),
    "an object": ({"token": make_token()}, 1004),
    "not ASCII": ("é.é.é", 1004),
    "a broken letter": ("\ud800", 1004),
}
VERIFIED = f"{KEYS}verify_ss_token = true"


@on_sqlite
@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_a_token_is_checked_where_that_is_set(type: str, open_receiver: Any) -> None:
    make = make_start if type == "game_start" else make_settle
    receiver = open_receiver(VERIFIED)
    for number, (name, (token, code)) in enumerate(TOKENS.items()):
        before = count_rows(receiver.guerdon)

        reply = receiver.post(type, make(f"r{number}"), ss_token=token)

        right = (401, code) if code else (0, None)
        assert (reply["ret_code"], reply.get("sdk_error_code")) == right, name
        assert (count_rows(receiver.guerdon) == before) == bool(code), name


@on_sqlite
def test_a_token_that_merely_expired_loses_a_start_but_no_settle(open_receiver: Any) -> None:
    receiver = open_receiver(VERIFIED)
    for exp in (1, NOW - 1, NOW):
        reply = receiver.post("game_start", make_start(), ss_token=make_token(exp=exp))
        assert (reply["ret_code"], reply["sdk_error_code"]) == (401, 1005)
    assert count_rows(receiver.guerdon) == 0

    token = make_token(exp=NOW - 86400)
    assert receiver.post("game_settle", make_settle(), ss_token=token)["ret_code"] == 0
    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}
    unsigned = json.dumps({"report_type": "game_settle", **make_settle("2"), "ss_token": token})
    assert receiver.post_raw(unsigned.encode(), {})["sdk_error_code"] == 1002


@on_sqlite
@pytest.mark.parametrize("secret", ["short", "guerdon-demo-secret", "ключ", "x" * 32, "x" * 200])
def test_a_secret_of_any_length_verifies_tokens(secret: str, open_receiver: Any) -> None:
    with warnings.catch_warnings(action="ignore"):  # PyJWT's, of what it makes with a short one
        token = make_token(secret)
    keys = f'app_id = "{APP_ID}"\napp_secret = "{secret}"\nverify_ss_token = true'
    raw = json.dumps({"report_type": "game_start", **make_start(), "ss_token": token}).encode()

    assert open_receiver(keys).post_raw(raw, make_headers(raw, secret))["ret_code"] == 0


@on_sqlite
@pytest.mark.parametrize("uid", [None, 7, ["u1"]])
def test_a_token_of_nobody_is_no_token_of_a_request_of_nobody(uid: Any, open_receiver: Any) -> None:
    receiver = open_receiver(VERIFIED)

    reply = receiver.post("game_start", make_start(), uid=uid, ss_token=make_token(uid=None))

    assert reply["sdk_error_code"] == 1004


@on_sqlite
def test_by_default_any_token_will_do(receiver: Sud) -> None:
    assert receiver.post("game_start", make_start(), ss_token="opaque")["ret_code"] == 0
    assert receiver.post("game_settle", make_settle(), ss_token=None)["ret_code"] == 0


def test_the_token_is_not_stored(open_receiver: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither with what is settled nor with what waits."""
    token = make_token()
    receiver = open_receiver(VERIFIED)
    receiver.post("game_settle", make_settle(), ss_token=token)
    stranger = make_settle("2", results=[make_result("stranger", 1)])
    assert receiver.post("game_settle", stranger, ss_token=token)["ret_code"] != 0

    kept = ""
    with receiver.guerdon.database.connection_context():
        for model in (Event, Waiting):
            rows: Any = model.select(model.data).tuples()
            kept += "".join(row[0] for row in rows)
    assert kept.count('"game_round_id"') >= 2
    assert token not in kept
    assert token not in "".join(capsys.readouterr())


# Its players.

STUDIO = """
[plugins.gold]
column = "balance"
[players]
table = "users"
nickname_column = "name"
user_id_column = "sud_uid"
"""
MAKE_USERS = (
    "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(64), sud_uid VARCHAR(64),"
    " balance DECIMAL(18,2) NOT NULL DEFAULT 0)"
)


def make_users(guerdon: Guerdon, *uids: str) -> None:
    """A studio's own table; the player of the uid u1 is called Player 1."""
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(MAKE_USERS)
        for number, uid in enumerate(uids, 1):
            mark = guerdon.database.param
            sql = f"INSERT INTO users VALUES ({number}, 'Player {number}', {mark}, 0)"
            guerdon.database.execute_sql(sql, (uid,))


def read_balances(guerdon: Guerdon) -> list[int]:
    with guerdon.database.connection_context():
        sql = "SELECT balance FROM users ORDER BY id"
        return [int(row[0]) for row in guerdon.database.execute_sql(sql).fetchall()]


def test_the_player_is_found_by_the_user_id_column_of_the_studios_table(open_service: Any) -> None:
    more = f"{STUDIO}[plugins.sud]\n{KEYS}"
    receiver = Sud(open_service(REWARDS, plugins="", more=more))
    make_users(receiver.guerdon, "u1", "u2", "U2")

    assert receiver.post("game_settle", make_settle())["ret_code"] == 0

    assert read_balances(receiver.guerdon) == [7, 100, 0]
    grants = get_v1(receiver.guerdon, "/events/game_settle/round-1")["grants"]
    assert [grant["nickname"] for grant in grants] == ["Player 2", "Player 1"]


@pytest.mark.parametrize("again", ["sud", "inbox"])
def test_with_an_unknown_player_nobody_is_paid_until_it_is_there(
    again: str, open_receiver: Any, clock: Clock
) -> None:
    receiver = open_receiver(players=["u2"])

    reply = receiver.post("game_settle", make_settle())

    assert reply["ret_code"] == 503
    assert '"u1"' in reply["ret_msg"]
    assert read_gold(receiver) == {"u2": "0.00"}
    add_player(receiver.guerdon, "u1")
    clock.advance(60)
    if again == "sud":
        assert receiver.post("game_settle", make_settle())["ret_code"] == 0
    serve_once(receiver.guerdon)
    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}
    assert read_books(receiver.guerdon).waiting == {}
    assert receiver.post("game_settle", make_settle())["ret_code"] == 0


def test_a_held_round_is_answered_with_0_and_paid_later(open_receiver: Any, clock: Clock) -> None:
    receiver = open_receiver(more='[players]\nunknown = "hold"', players=["u2"])

    assert receiver.post("game_settle", make_settle())["ret_code"] == 0
    assert read_gold(receiver) == {"u2": "0.00"}

    add_player(receiver.guerdon, "u1")
    clock.advance(60)
    serve_once(receiver.guerdon)
    assert read_gold(receiver) == {"u1": "7.00", "u2": "100.00"}


BROKEN = """
from app import hookimpl

@hookimpl
def grant_reward(event):
    if event.user_id == "u1":
        raise RuntimeError("no")
"""


def test_all_results_are_one_transaction(open_receiver: Any, add_plugin: Any) -> None:
    receiver = open_receiver(more=add_plugin(BROKEN))

    reply = receiver.post("game_settle", make_settle())

    assert reply["ret_code"] == 503
    assert "failed in grant_reward" in reply["ret_msg"]
    assert read_gold(receiver) == {"u1": "0.00", "u2": "0.00"}
    assert read_books(receiver.guerdon).events == []
    assert list(read_books(receiver.guerdon).waiting) == ["round-1"]


# Its failures.


@on_sqlite
def test_a_database_that_is_down_makes_sud_send_again(write_config: Any, clock: Clock) -> None:
    url = f"mysql://game:x@127.0.0.1:{find_free_port()}/nothing"
    more = f"[plugins.gold]\n[plugins.sud]\n{KEYS}"
    guerdon = open_guerdon(write_config(REWARDS, more, "", url), clock)
    try:
        reply = Sud(guerdon).post("game_settle", make_settle())
    finally:
        guerdon.close()

    assert (reply["ret_code"], reply["ret_msg"]) == (503, "the database is not ready")


def test_what_can_neither_be_paid_nor_stored_is_not_answered_with_0(receiver: Sud) -> None:
    assert receiver.post("game_settle", make_settle())["ret_code"] == 0
    with receiver.guerdon.database.connection_context():
        for table in ("guerdon_events", "guerdon_inbox"):
            receiver.guerdon.database.execute_sql(f"ALTER TABLE {table} RENAME TO {table}_gone")

    assert receiver.post("game_settle", make_settle("2"))["ret_code"] == 503


TRIPPED = """
from app import hookimpl

@hookimpl
def read_delivery(source):
    raise RuntimeError("not shown to anybody")
"""


@on_sqlite
def test_a_plugin_that_fails_to_read_is_answered_for_in_suds_form(
    open_receiver: Any, add_plugin: Any
) -> None:
    receiver = open_receiver(more=add_plugin(TRIPPED))

    reply = receiver.post("game_settle", make_settle())

    assert (reply["ret_code"], reply["ret_msg"]) == (503, "the plugin for sud failed")


# Settings.

FAULTS = [
    ("", "app_secret: is needed to check reports; unsigned = true takes them from anybody"),
    ("unsigned = false", "app_secret: is needed to check reports"),
    (f"{KEYS}unsigned = true", "unsigned: true means reports without app_secret"),
    ('unsigned = "yes"', "unsigned: must be true or false"),
    (f'app_id = "{APP_ID}"', "app_secret: goes with app_id"),
    (f'app_secret = "{SECRET}"', "app_secret: goes with app_id"),
    ("verify_ss_token = true", "app_secret: goes with app_id"),
    (f'app_secret = "{SECRET}"\nverify_ss_token = true', "app_secret: goes with app_id"),
    ('app_secret = { env = "NOT_SET" }', "app_secret: the environment variable NOT_SET"),
    ('report_url = "app.example/report"', "report_url: must be an address"),
    ('report_url = "https://app.example/r?x=1"', "report_url: must be an address"),
    ('report_url = "https://user:password@app.example/r"', "report_url: must be an address"),
    ("retry_delays = 60", "retry_delays: must be a list"),
    ("retry_delays = [60, -1]", "retry_delays[1]"),
    ("timeout = 0", "timeout"),
    ("max_age = -1", "max_age"),
    ('verify_ss_token = "yes"', "verify_ss_token: must be true or false"),
    ('host = "x"', "host: is not a setting we know"),
]


@on_sqlite
@pytest.mark.parametrize(("lines", "fault"), FAULTS)
def test_a_wrong_setting_stops_the_start_and_is_named(
    lines: str, fault: str, write_config: Any
) -> None:
    with pytest.raises(ConfigError) as error:
        open_guerdon(write_config("", plugins="", more=f"[plugins.sud]\n{lines}"))

    assert len(error.value.faults) == 1
    assert f"[plugins.sud] {fault}" in error.value.faults[0]


# One to the other.

ROUND = [("p1", 1), ("p2", 2), ("p3", 2), ("", 4), ("p4", 5), ("p5", 6), ("", 7), ("p6", 8)]
PRIZES = """
[[rules]]
on = "game_settle"
where = { rank = 1 }
give = [{ reward = "gold", amount = "100.00" }]
[[rules]]
on = "game_settle"
where = { rank = 2 }
give = [{ reward = "gold", amount = "50.00" }]
[[rules]]
on = "game_settle"
where = { rank = { at_least = 3, at_most = 6 } }
give = [{ reward = "gold", amount = "10.00" }]
"""


def write_side(folder: Path, url: str, sections: str, rewards: str) -> Path:
    """The config of one of two."""
    folder.mkdir()
    (folder / "rewards.toml").write_text(rewards)
    path = folder / "guerdon.toml"
    path.write_text(f'[database]\nurl = "{url}"\n[api]\nkeys = ["{API_KEY}"]\n{sections}')
    return path


@contextmanager
def open_migrated(path: Path) -> Iterator[Guerdon]:
    """One of the two in this process: there is room for one at a time."""
    guerdon = open_guerdon(path)
    try:
        guerdon.migrate()
        yield guerdon
    finally:
        guerdon.close()


def test_a_round_of_eight_is_sent_three_times_and_paid_once(
    database_url: str, tmp_path: Path, start_gunicorn: Any
) -> None:
    """Two replies of the receiver get lost on their way; each report is done when they do."""
    receiving = f"{STUDIO}[plugins.sud]\n{KEYS}verify_ss_token = true"
    app_path = write_side(tmp_path / "app", database_url, receiving, PRIZES)
    with open_migrated(app_path) as receiver:
        make_users(receiver, *(f"p{number}" for number in range(1, 7)))
    proxy = Proxy(start_gunicorn(app_path, workers=1).port)
    sending = (
        f'[plugins.sud]\nreport_url = "http://127.0.0.1:{proxy.port}/webhooks/sud"\n'
        f"{KEYS}retry_delays = [0.2, 0.2, 0.2]"
    )
    path = write_side(tmp_path / "game", f"sqlite:///{tmp_path}/game/guerdon.db", sending, "")
    with open_migrated(path):
        game = start_gunicorn(path, workers=1)
    results = [make_result(uid, rank, score=rank) for uid, rank in ROUND]
    players = [{"uid": uid, "is_ai": int(not uid)} for uid, _ in ROUND]
    token = make_token(uid="p1", exp=4_000_000_000)
    answers = {}
    try:
        for type, body in (
            ("game_start", make_start("story", players=players)),
            ("game_settle", make_settle("story", results=results)),
        ):
            proxy.cut(f'"{type}"'.encode(), forwarded=True, times=2)
            answers[type] = requests.post(
                f"{game.url}/v1/events/{type}",
                json=body | {"uid": "p1", "ss_token": token},
                headers={"Authorization": f"Bearer {API_KEY}", "Prefer": "wait=20"},
                timeout=30,
            )
    finally:
        proxy.close()

    for type, answered in answers.items():
        assert answered.status_code == 200, answered.text
        (report,) = answered.json()["reports"]
        assert (report["kind"], report["state"], report["sends"]) == (type, "delivered", 3)
        assert report["response"] == {"ret_code": 0, "ret_msg": "", "data": {}}
    with open_migrated(app_path) as receiver:
        assert read_balances(receiver) == [100, 50, 50, 10, 10, 0]
        for type in answers:
            assert get_v1(receiver, f"/events/{type}/story")["state"] == "settled"
        with receiver.database.connection_context():
            assert Grant.select().count() == 5
            assert Event.select().count() == 2 * (1 + 6)


def test_a_report_that_is_nested_too_deeply_is_refused_in_its_own_form(open_receiver: Any) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    receiver = open_receiver(KEYS)

    reply = receiver.post("game_settle", make_settle(later=deep))

    assert (reply["ret_code"], reply["ret_msg"]) == (400, "the body is nested too deeply")
    assert read_books(receiver.guerdon).events == []
