"""Twenty thousand requests that nobody honest sends: never a 5xx, a traceback or a hang.

Run the file as a whole: its last test counts what the others sent.
"""

import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
import structlog
from hypothesis import example, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.testing.deliveries import make_delivery
from app.testing.platforms import Platform, answer_rightly, answer_status
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.attacks import (
    FLAT,
    GETS,
    HEADERS,
    HOSTILE_BYTES,
    IDS,
    KEY,
    LATIN,
    OBJECTS,
    POSTS,
    VALUES,
    list_signed,
    try_many,
)
from tests.world.games import MAKERS, make_level_up, make_settle
from tests.world.hostile import Target
from tests.world.servers import find_tracebacks
from tests.world.sud import make_headers

log = structlog.get_logger()

ENOUGH = 20_000
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, platform: Platform) -> Iterator[Target]:
    vote_api = VoteApi()
    target = Target(tmp_path_factory.mktemp("target"), vote_api, platform)
    yield target
    target.close()
    vote_api.close()


@pytest.fixture(scope="module")
def client(target: Target) -> Any:
    return target.app.test_client()


@pytest.fixture(scope="module")
def schema(target: Target) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", target.app)


def test_it_works(target: Target, client: Any) -> None:
    with target.watch("honest"):
        assert client.post("/webhooks/gamemonitoring", data=make_delivery("v1")).status_code == 204
        for type, make in MAKERS.items():
            assert client.post(f"/v1/events/{type}", json=make(), headers=KEY).status_code == 200

    assert target.sent["honest"] == 4


def test_what_should_not_be_is_seen(target: Target, client: Any) -> None:
    answered = "500 INTERNAL SERVER ERROR for GET '/broken'"
    with pytest.raises(AssertionError, match=answered), target.watch("broken"):
        client.get("/broken")
    with pytest.raises(AssertionError, match="ValueError: it is"), target.watch("broken"):
        log.error("broken", exc_info=ValueError("it is"))


# By the description.


OPERATIONS = 13


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_the_description_allows_or_forbids_is_answered_as_it_says(
    mode: GenerationMode, target: Target, schema: Any
) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == OPERATIONS
    with target.watch(f"schemathesis, {mode.value}"):
        for operation in operations:
            is_fixed = not (list(operation.iter_parameters()) or operation.body)
            if is_fixed and mode is GenerationMode.NEGATIVE:
                continue  # it has nothing that could be wrong

            @given(case=operation.as_strategy(generation_mode=mode))
            @try_many(60)
            def ask(case: Any) -> None:
                case.call_and_validate(checks=CHECKS, headers=KEY)
                case.call_and_validate(checks=CHECKS)

            ask()


def test_what_is_there_is_shown_as_the_description_says(
    target: Target, schema: Any, client: Any, platform: Platform
) -> None:
    def ask(method: str, path: str, status: int, body: Any = None, **params: str) -> Any:
        more = {} if body is None else {"body": body, "media_type": "application/json"}
        case = schema[path][method].Case(path_parameters=params, **more)
        response = case.call_and_validate(checks=CHECKS, headers=KEY)
        assert response.status_code == status, response.text
        return response.json()

    with target.watch("known", is_outage=True):
        target.vote_api.votes["lost"], target.vote_api.server_id = {}, "known"
        for id, status in (("there", 204), ("lost", 503)):
            delivery = make_delivery(id)
            assert client.post("/webhooks/gamemonitoring", data=delivery).status_code == status
        platform.behave = answer_status(400)
        ask("POST", "/v1/events/level_up", 202, make_level_up("Eve", 11))
        platform.behave = answer_rightly
        ask("POST", "/v1/events/level_up", 200, make_level_up("Eve", 12))
        ask("POST", "/v1/events/game_settle", 200, make_settle("round", "Eve", "Bob"))

        assert ask("GET", "/v1/players/{nickname}", 200, nickname="Eve")["grants"]
        assert ask("GET", "/v1/players/{nickname}", 200, nickname="Bob")["roles"]
        for type, id, state in (
            ("server.vote", "there", "settled"), ("server.vote", "lost", "waiting"),
            ("level_up", "Eve:s73:11", "settled"), ("game_settle", "round", "settled"),
        ):  # fmt: skip
            shown = ask("GET", "/v1/events/{type}/{id}", 200, type=type, id=id)
            assert shown["state"] == state
            for report in shown["reports"]:
                ask("GET", "/v1/reports/{id}", 200, id=str(report["id"]))
        leased = ask("POST", "/v1/claims/lease", 200, {"server_id": "known"})
        claim = leased["claims"][0]
        path, id = "/v1/claims/{id}/ack", str(claim["id"])
        ask("POST", path, 409, {"lease": "0" * 32}, id=id)
        ask("POST", path, 200, {"lease": claim["lease"]}, id=id)


# Bodies.


def post_everywhere(client: Any, body: bytes, **headers: str) -> None:
    for path in POSTS:
        client.post(path, data=body, headers=KEY | headers)


@pytest.mark.parametrize("body", HOSTILE_BYTES, ids=lambda body: repr(body[:12]))
def test_no_body_that_was_ever_thought_of_is_too_much(
    body: bytes, target: Target, client: Any
) -> None:
    with target.watch("known bodies"):
        post_everywhere(client, body)
        client.post("/webhooks/sud", data=body, headers=make_headers(body))


def test_no_bytes_are_too_much(target: Target, client: Any) -> None:
    @given(body=st.binary(max_size=300))
    @try_many(250)
    def send(body: bytes) -> None:
        post_everywhere(client, body)
        client.post("/webhooks/sud", data=body, headers=make_headers(body))

    with target.watch("bytes"):
        send()


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]


def test_no_json_is_too_much_in_whatever_encoding(target: Target, client: Any) -> None:
    @given(value=OBJECTS | VALUES)
    @try_many(250)
    def send(value: Any) -> None:
        text = json.dumps(value)
        post_everywhere(client, text.encode())
        for encoding in ENCODINGS[1:]:
            client.post(POSTS[0], data=text.encode(encoding))
        raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        post_everywhere(client, raw, **{"Content-Type": "application/json; charset=utf-16"})

    with target.watch("JSON"):
        send()


def test_nothing_that_is_signed_is_too_much_either(target: Target, client: Any) -> None:
    @given(
        fields=FLAT, event_id=IDS,
        body=OBJECTS, type=st.sampled_from(["game_start", "game_settle", "level_up", "\0"]),
    )  # fmt: skip
    @try_many(250)
    def send(fields: Any, event_id: str, body: Any, type: str) -> None:
        for signed in list_signed(fields, event_id):
            client.post(POSTS[0], data=signed)
        for report in (body, body | {"report_type": type}):
            raw = json.dumps(report).encode()
            client.post(POSTS[1], data=raw, headers=make_headers(raw))

    with target.watch("signed"):
        send()


def list_places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, itself among them."""
    yield place
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from list_places(part, (*place, key))


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """The value with something else at a place."""
    if not place:
        return new
    head, *rest = place
    if isinstance(value, dict):
        return value | {head: put(value[head], tuple(rest), new)}
    return [put(one, tuple(rest), new) if at == head else one for at, one in enumerate(value)]


def test_no_round_or_level_with_a_hostile_value_in_it_is_too_much(
    target: Target, client: Any
) -> None:
    places = {type: list(list_places(make())) for type, make in MAKERS.items()}

    @given(data=st.data(), new=VALUES)
    @try_many(250)
    def send(data: st.DataObject, new: Any) -> None:
        for type, make in MAKERS.items():
            place = data.draw(st.sampled_from(places[type]))
            raw = json.dumps(put(make(), place, new)).encode()
            headers = KEY | {"Prefer": "wait=0"}
            client.post(f"/v1/events/{type}", data=raw, headers=headers)
            if type != "level_up":
                report = put({"report_type": type, **make()}, place, new)
                raw = json.dumps(report).encode()
                client.post(POSTS[1], data=raw, headers=make_headers(raw))

    with target.watch("events"):
        send()


# Paths, methods, queries and headers; in environ as WSGI has them: bytes as Latin-1.


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"]
PREFIXES = [
    "/", "//", "/v1/", "/v1/players/", "/v1/events/", "/v1/events/server.vote/", "/v1/reports/",
    "/v1/claims/", "/webhooks/", "/static/", "/static/../", "/docs/", "/openapi.json",
]  # fmt: skip


def ask(
    client: Any, method: str, path: str, query: str = "", body: bytes = b"", **more: str
) -> int:
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, **more}
    with client.open("/", data=body, environ_overrides=environ) as response:
        return int(response.status_code)


def test_no_byte_of_a_path_is_too_much(target: Target, client: Any) -> None:
    key = {"HTTP_AUTHORIZATION": KEY["Authorization"]}
    with target.watch("paths"):
        for prefix in PREFIXES:
            for byte in range(256):
                ask(client, "GET", f"{prefix}{chr(byte)}", **key)
        for path in (
            "/v1/reports/" + "9" * 5000,
            "/v1/claims/" + "9" * 5000 + "/ack",
            "/" * 3000,
            "/v1/players/" + "x" * 60_000,
            "/static/" + "a/" * 9000,
            "",
            "no-slash",
        ):
            for method in METHODS:
                ask(client, method, path, **key)


def test_no_path_query_or_method_is_too_much(target: Target, client: Any) -> None:
    @given(prefix=st.sampled_from(PREFIXES), rest=LATIN, query=LATIN, method=LATIN)
    @try_many(250)
    def send(prefix: str, rest: str, query: str, method: str) -> None:
        key = {"HTTP_AUTHORIZATION": KEY["Authorization"]}
        for one in ("GET", "POST", "DELETE", method):
            ask(client, one, prefix + rest, query, **key)
        for path in GETS:
            ask(client, "GET", path, query, **key)

    with target.watch("paths"):
        send()


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_that_was_ever_thought_of_is_too_much(
    header: str, target: Target, client: Any
) -> None:
    key = {"HTTP_AUTHORIZATION": KEY["Authorization"]}
    body = json.dumps(make_level_up("Bob")).encode()
    with target.watch("known headers"):
        for value in HEADERS[header]:
            for path in POSTS:
                ask(client, "POST", path, "", body, **key | {header: value})
            for path in GETS:
                ask(client, "GET", path, "", **key | {header: value})


def test_no_headers_together_are_too_much(target: Target, client: Any) -> None:
    values = {header: st.sampled_from(known) | LATIN for header, known in HEADERS.items()}
    sets = st.fixed_dictionaries({}, optional=values)

    @given(headers=sets, body=st.binary(max_size=50))
    @try_many(250)
    def send(headers: dict[str, str], body: bytes) -> None:
        for path in POSTS:
            ask(client, "POST", path, "", body, **headers)
        for path in GETS:
            ask(client, "GET", path, "", **headers)

    with target.watch("headers"):
        send()


# What is allowed to be a 503: the vote API is down, or gives no usable vote.


def test_a_vote_api_that_is_down_or_answers_anything_is_the_only_503(
    target: Target, client: Any
) -> None:
    number = 0

    @given(
        status=st.sampled_from([200, 200, 200, 404, 500, 503]), body=st.binary(max_size=50) | VALUES
    )
    @example(status=200, body={"response": {"nickname": "\ud800"}})
    @example(status=200, body={"response": {"nickname": "Eve", "created_at": 1e308}})
    @example(status=200, body={"response": {"nickname": "Eve\0", "server": {"id": 10**400}}})
    @example(status=200, body={"response": {"nickname": "x" * 9999, "user": {"id": "\0"}}})
    @try_many(250)
    def send(status: int, body: Any) -> None:
        nonlocal number
        number += 1
        target.vote_api.behave = lambda handler: answer(handler, status, body)
        response = client.post(POSTS[0], data=make_delivery(f"outage-{number}"))
        assert response.status_code in (204, 503)
        assert ("Retry-After" in response.headers) == (response.status_code == 503)

    with target.watch("outage", is_outage=True):
        send()
    target.vote_api.behave = None


def test_after_all_that_it_pays_as_before_and_twenty_thousand_were_sent(
    target: Target, client: Any, record_property: Callable[[str, Any], None]
) -> None:
    with target.watch("honest"):
        assert client.post(POSTS[0], data=make_delivery("the-last")).status_code == 204
        wait_until(lambda: client.get("/readyz").status_code == 200)

    for kind, count in target.sent.items():
        record_property(kind, count)
    print(dict(target.sent), dict(target.statuses))
    assert sum(target.sent.values()) >= ENOUGH, target.sent


def test_a_traceback_is_not_the_word_of_a_stranger() -> None:
    """Whoever invents a name may come upon it; what Python prints begins a line, or is a key of ours."""
    said = "Traceback (most recent call last):\n  exception"
    strangers = [
        json.dumps({"event": "not settled", "uid": said}),
        json.dumps({"event": 'no player is called "exception"', "Traceback": said}),
        f"[2026-11-28] [INFO] {said[:20]}",
        '{"event": "cut off, with an "exception',
    ]
    assert find_tracebacks("\n".join(strangers)) == []

    try:
        raise ValueError(said)
    except ValueError:
        printed = traceback.format_exc()
    ours = json.dumps({"event": "it failed", "exception": printed})
    assert find_tracebacks(f"{printed}{ours}\n") == [printed.splitlines()[0], ours]
