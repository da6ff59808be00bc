"""/v1 and the two health URLs: keys, problems, players, events, claims, and a database that is down."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, make_delivery
from app.testing.players import add_player
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = {"Authorization": f"Bearer {API_KEY}"}
CLAIM_RULE = """
[[rules]]
name = "a diamond"
on = "server.vote"
[[rules.give]]
reward = "claim"
payload.command = "give {nickname} diamond"
payload.list = ["{server_id}", "{event_id}", 1]
"""
Call = Callable[..., Any]


@pytest.fixture
def call(client: Any) -> Call:
    """Call /v1 with the key: call("GET", path), call("POST", path, body)."""

    def send(method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        if body is not None:
            kwargs["json"] = body
        return client.open(f"/v1{path}", method=method, headers=KEY, **kwargs)

    return send


def check_problem(response: Any, status: int) -> dict[str, Any]:
    """The problem in a response; its shape is RFC 9457's."""
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem: dict[str, Any] = response.get_json()
    assert problem["status"] == status
    assert isinstance(problem["type"], str)
    assert isinstance(problem["title"], str)
    assert problem["detail"]
    assert ("errors" in problem) == (status == 422)
    return problem


def test_it_works(deliver: Any, call: Call) -> None:
    deliver("v1")

    player = call("GET", "/players/Bob").get_json()
    event = call("GET", "/events/server.vote/v1").get_json()

    assert (player["nickname"], player["gold"]) == ("Bob", "100.00")
    assert event["state"] == "settled"
    assert event["grants"] == player["grants"]
    assert event["grants"][0]["reward"] == "gold"
    assert event["grants"][0]["rule"] == "every vote"
    assert event["grants"][0]["granted_at"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize("before", ["0", "-1", str(2**63), "1" * 30, "x"])
def test_a_page_begins_at_an_id_that_a_database_knows(call: Call, before: str) -> None:
    problem = check_problem(call("GET", f"/players/Bob?before={before}"), 422)

    assert "before" in str(problem["errors"])
    assert call("GET", f"/players/Bob?before={2**63 - 1}").status_code == 200


# Keys.


NO_KEYS = (
    [
        None, "", "Bearer", "Bearer ", API_KEY, f"Basic {API_KEY}", f"Bearer {API_KEY}x",
        f"Bearer {API_KEY[:-1]}", f"Bearer {API_KEY.upper()}", f"Bearer {API_KEY} {API_KEY}",
        "Bearer \xff\xfe", "Bearer é", "é" * 5000, "Bearer \x00",
    ]
)  # fmt: skip
ROUTES = [
    ("GET", "/v1/players/Bob"), ("GET", "/v1/events/server.vote/v1"),
    ("POST", "/v1/claims/lease"), ("POST", "/v1/claims/1/ack"),
]  # fmt: skip


@on_sqlite
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_right_key_nobody_comes_in(method: str, path: str, client: Any) -> None:
    for header in NO_KEYS:
        environ = {} if header is None else {"HTTP_AUTHORIZATION": header}
        response = client.open(path, method=method, environ_overrides=environ)

        check_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert API_KEY not in response.text


@on_sqlite
def test_each_of_several_keys_comes_in_and_an_empty_list_lets_nobody(
    write_config: Any, open_service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECOND_KEY", "the-second-key-of-two")
    open_service()
    path: Path = write_config()
    line = f'keys = ["{API_KEY}"]'

    def try_keys(keys: str) -> list[int]:
        path.write_text(path.read_text().replace(line, f"keys = {keys}"))
        guerdon = open_guerdon(path)
        client = create_app(guerdon).test_client()
        tried = (
            "the-first-key-of-two",
            "the-second-key-of-two",
            ("ключ" * 4).encode().decode("latin-1"),
            "",
        )
        statuses = [
            client.get("/v1/players/Bob", headers={"Authorization": f"Bearer {key}"}).status_code
            for key in tried
        ]
        guerdon.close()
        path.write_text(path.read_text().replace(f"keys = {keys}", line))
        return statuses

    assert try_keys('["the-first-key-of-two", { env = "SECOND_KEY" }, "ключключключключ"]') == [
        200,
        200,
        200,
        401,
    ]
    assert try_keys("[]") == [401, 401, 401, 401]


@on_sqlite
def test_what_is_not_there_and_what_is_not_allowed_are_problems_too(call: Call) -> None:
    assert "'Nobody'" in check_problem(call("GET", "/players/Nobody"), 404)["detail"]
    check_problem(call("GET", "/events/server.vote/v1"), 404)
    check_problem(call("GET", "/nothing/here"), 404)
    check_problem(call("POST", "/claims/77/ack"), 404)
    check_problem(call("POST", f"/claims/{2**70}/ack"), 404)
    check_problem(call("POST", "/claims/-1/ack"), 404)
    response = call("GET", "/claims/lease")
    check_problem(response, 405)
    assert "POST" in response.headers["Allow"]


# Players.


def test_a_player_is_found_by_the_very_nickname(guerdon: Guerdon, call: Call) -> None:
    names = ["Bob", "bob", "Böb", "玩家", "a/b", "it's 100%", "😀"]
    for name in names[1:]:
        add_player(guerdon, name)

    for name in names:
        response = call("GET", f"/players/{name}".replace("%", "%25"))
        assert response.get_json()["nickname"] == name
    for name in ("BOB", "Bo", "b\u00f6b", "\ud800"):
        check_problem(call("GET", f"/players/{name.encode('utf-8', 'replace').decode()}"), 404)


@on_sqlite
def test_a_player_shows_the_latest_fifty_grants(guerdon: Guerdon, call: Call) -> None:
    votes = [Event("gamemonitoring", "server.vote", f"v{n}", nickname="Bob") for n in range(52)]
    guerdon.settler.settle([Work([vote]) for vote in votes])

    player = call("GET", "/players/Bob").get_json()

    assert player["gold"] == "5200.00"
    assert len(player["grants"]) == 50
    assert {"items", "roles", "vip_until", "promo_codes"} <= set(player)


# Events: why was, or wasn't, this paid?


@on_sqlite
def test_no_rule_for_the_server(open_service: Any, vote_api: VoteApi) -> None:
    rule = '[[rules]]\non = "server.vote"\nserver = 1\ngive = [{ reward = "gold", amount = 1 }]'
    client = create_app(open_service(rewards=rule)).test_client()
    vote_api.server_id = 2

    assert client.post("/webhooks/gamemonitoring", data=make_delivery("v1")).status_code == 204

    event = client.get("/v1/events/server.vote/v1", headers=KEY).get_json()
    assert (event["state"], event["grants"], event["server_id"]) == ("settled", [], "2")
    assert "no rule is for server.vote on server '2'" in event["timeline"][-1]["detail"]


@on_sqlite
def test_an_unknown_player(deliver: Any, call: Call, vote_api: VoteApi) -> None:
    vote_api.nickname = lambda id: "Eve"
    deliver("v1")

    event = call("GET", "/events/server.vote/v1").get_json()

    assert (event["state"], event["last_error"]) == ("waiting", 'no player is called "Eve"')
    assert 'no player is called "Eve"' in event["timeline"][0]["detail"]
    assert event["timeline"][-1] == {
        "at": event["next_try_at"], "what": "next try",
        "detail": "will be tried again at this time",
    }  # fmt: skip
    assert event["next_try_at"] == "2027-01-15T08:00:05.000Z"


@on_sqlite
def test_first_the_vote_api_was_down_and_then_it_was_paid(
    deliver: Any, call: Call, vote_api: VoteApi, clock: Clock
) -> None:
    vote_api.behave = lambda handler: answer(handler, 500, {})
    deliver("v1")
    vote_api.behave = None
    clock.advance(60)
    deliver("v1")

    event = call("GET", "/events/server.vote/v1").get_json()

    steps = [(step["at"], step["what"]) for step in event["timeline"]]
    assert steps == [
        ("2027-01-15T08:00:00.000Z", "delivery"),
        ("2027-01-15T08:01:00.000Z", "settled"),
        ("2027-01-15T08:01:00.000Z", "granted"),
    ]
    assert "it answered 500" in event["timeline"][0]["detail"]
    assert '"amount":"100.00"' in event["timeline"][2]["detail"]
    assert (event["attempts"], event["last_error"], event["next_try_at"]) == (2, None, None)


# Claims.


@pytest.fixture
def queue(open_service: Any, vote_api: VoteApi) -> Callable[..., Call]:
    """Queue a claim of Bob's for each (server, vote); returns `call` of that service."""

    def fill(*votes: tuple[str, str]) -> Call:
        client = create_app(open_service(rewards=CLAIM_RULE)).test_client()
        for server, id in votes:
            vote_api.server_id = server
            assert (
                client.post("/webhooks/gamemonitoring", data=make_delivery(id)).status_code == 204
            )

        def send(path: str, body: Any = None, **kwargs: Any) -> Any:
            kwargs |= {} if body is None else {"json": body}
            return client.post(f"/v1/claims/{path}", headers=KEY, **kwargs)

        return send

    return fill


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [claim["event"]["id"] for claim in response.get_json()["claims"]]


def test_a_claim_is_leased_and_acknowledged(queue: Any) -> None:
    send = queue(("1", "v1"))

    answer = send("lease", {"server_id": "1"}).get_json()

    (claim,) = answer["claims"]
    assert answer["leased_until"] == "2027-01-15T08:01:00.000Z"
    assert claim["lease"] == answer["lease"]
    assert (claim["server_id"], claim["nickname"]) == ("1", "Bob")
    assert claim["event"] == {"type": "server.vote", "id": "v1"}
    assert claim["payload"] == {"command": "give Bob diamond", "list": ["1", "v1", 1]}
    for _ in range(2):
        done = send(f"{claim['id']}/ack", {"lease": claim["lease"]})
        assert (done.status_code, done.get_json()["state"]) == (200, "done")
    assert ids(send("lease", {"server_id": "1"})) == []


def test_a_placeholder_in_a_nickname_stays_text(open_service: Any, vote_api: VoteApi) -> None:
    alone = CLAIM_RULE.replace("give {nickname} diamond", "{nickname}")
    guerdon = open_service(rewards=alone)
    add_player(guerdon, "{event_id}")
    vote_api.nickname = lambda id: "{event_id}"
    client = create_app(guerdon).test_client()
    client.post("/webhooks/gamemonitoring", data=make_delivery("v1"))

    leased = client.post("/v1/claims/lease", headers=KEY, json={"server_id": "1"}).get_json()

    assert leased["claims"][0]["payload"]["command"] == "{event_id}"


def test_each_server_gets_its_own_in_order_and_no_more_than_it_asked_for(queue: Any) -> None:
    send = queue(("1", "a"), ("2", "b"), ("1", "c"), ("1", "d"))

    assert ids(send("lease", {"server_id": "1", "limit": 2})) == ["a", "c"]
    assert ids(send("lease", {"server_id": "1", "limit": 100})) == ["d"]
    assert ids(send("lease", {"server_id": "3"})) == []
    assert ids(send("lease", {"server_id": "2"})) == ["b"]


def test_when_a_lease_ran_out_another_gets_it_and_the_first_can_no_longer_acknowledge(
    queue: Any, clock: Clock
) -> None:
    send = queue(("1", "v1"))
    first = send("lease", {"server_id": "1", "seconds": 10}).get_json()
    id = first["claims"][0]["id"]
    clock.advance(10)
    assert ids(send("lease", {"server_id": "1"})) == []
    clock.advance(0.001)
    second = send("lease", {"server_id": "1"}).get_json()
    assert second["claims"][0]["id"] == id

    late = json.dumps({"lease": first["lease"]})
    for kwargs in ({"content_type": "application/json"}, {"content_type": "text/plain"}, {}):
        refused = send(f"{id}/ack", data=late, **kwargs)
        assert "lease it again" in check_problem(refused, 409)["detail"]
    assert send(f"{id}/ack", {"lease": second["lease"]}).status_code == 200
    assert send(f"{id}/ack", {"lease": second["lease"]}).status_code == 200  # again is fine
    check_problem(send(f"{id}/ack", {"lease": first["lease"]}), 409)
    assert send(f"{id}/ack").status_code == 200


def test_whose_lease_ran_out_may_still_acknowledge_while_nobody_else_has_it(
    queue: Any, clock: Clock
) -> None:
    send = queue(("1", "v1"))
    lease = send("lease", {"server_id": "1", "seconds": 10}).get_json()
    clock.advance(11)
    assert ids(send("lease", {"server_id": "another"})) == []  # the lease is ended now

    assert send("1/ack", {"lease": lease["lease"]}).status_code == 200
    assert ids(send("lease", {"server_id": "1"})) == []


def test_an_acknowledgement_needs_a_lease_and_not_its_token(queue: Any, clock: Clock) -> None:
    send = queue(("1", "v1"), ("1", "v2"))
    check_problem(send("1/ack"), 409)
    claims = send("lease", {"server_id": "1", "seconds": 1}).get_json()["claims"]

    assert send(f"{claims[0]['id']}/ack").status_code == 200
    check_problem(send(f"{claims[1]['id']}/ack", {"lease": "0" * 32}), 409)
    clock.advance(5)  # ran out, but nobody else has leased it: it was given out, so it is done
    assert send(f"{claims[1]['id']}/ack", {"lease": claims[1]["lease"]}).status_code == 200
    assert ids(send("lease", {"server_id": "1"})) == []


def test_a_claim_waits_for_its_player_however_often_it_is_leased(queue: Any, clock: Clock) -> None:
    send = queue(("1", "v1"))

    for _ in range(30):
        assert ids(send("lease", {"server_id": "1", "seconds": 1})) == ["v1"]
        clock.advance(2)


BAD_INPUT: list[tuple[Any, str]] = (
    [
        ({}, "server_id"), ({"server_id": 1}, "server_id"), ({"server_id": ""}, "server_id"),
        ({"server_id": None}, "server_id"), ({"server_id": "x" * 256}, "server_id"),
        ({"server_id": "1", "limit": 0}, "limit"), ({"server_id": "1", "limit": 101}, "limit"),
        ({"server_id": "1", "limit": "2"}, "limit"), ({"server_id": "1", "limit": 1.5}, "limit"),
        ({"server_id": "1", "limit": True}, "limit"), ({"server_id": "1", "seconds": 0}, "seconds"),
        ({"server_id": "1", "seconds": 3601}, "seconds"), ({"server_id": "1", "secs": 1}, "secs"),
        ({"server_id": "1", "seconds": "x"}, "seconds"), ([], "_schema"), ("1", "_schema"),
    ]
)  # fmt: skip


@on_sqlite
def test_bad_input_is_refused_by_the_name_of_its_field(call: Call) -> None:
    for body, field in BAD_INPUT:
        problem = check_problem(call("POST", "/claims/lease", body), 422)

        assert list(problem["errors"]) == [field], body
        assert all(isinstance(line, str) for line in problem["errors"][field])


NO_JSON = [
    b"{", b"\xff", b'{"server_id":"1"', b"[" * 30_000, b'{"limit":' + b"9" * 5000 + b"}",
    b'{"server_id":"1","seconds":NaN}', b'{"server_id":"1","seconds":1e999}',
]  # fmt: skip


@on_sqlite
def test_what_is_not_json_is_a_problem_and_never_ours(call: Call) -> None:
    for body in NO_JSON:
        for path in ("/claims/lease", "/claims/1/ack"):
            check_problem(call("POST", path, data=body, content_type="application/json"), 400)


@pytest.mark.parametrize("server_id", ["\ud800", "\0", "😀", "'; DROP TABLE players; --", "%"])
def test_a_strange_server_has_no_claims(server_id: str, queue: Any) -> None:
    send = queue(("1", "v1"))

    response = send("lease", {"server_id": server_id})

    assert response.status_code == (422 if server_id == "\ud800" else 200)
    assert response.get_json().get("claims", []) == []
    check_problem(send("1/ack", {"lease": "\ud800"}), 422)


# Health, and a database that is down.


@on_sqlite
def test_it_is_ready_as_soon_as_somebody_has_migrated(write_config: Any) -> None:
    guerdon = open_guerdon(write_config())
    client = create_app(guerdon).test_client()

    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "guerdon migrate" in response.get_json()["reason"]
    assert client.post("/webhooks/gamemonitoring", data=make_delivery("v1")).status_code == 503
    check_problem(client.get("/v1/players/Bob", headers=KEY), 503)

    other = open_guerdon(write_config())
    other.migrate()
    other.close()
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/readyz").get_json() == {"ready": True}
    guerdon.close()


@pytest.mark.on_servers
def test_while_the_database_is_down_nothing_is_lost_and_everything_says_so(
    own_database_server: DatabaseServer, open_service: Any, vote_api: VoteApi
) -> None:
    server = own_database_server
    guerdon = open_service(url=server.url(server.create_database()))
    client = create_app(guerdon).test_client()

    def post(id: str) -> Any:
        return client.post("/webhooks/gamemonitoring", data=make_delivery(id))

    assert post("v1").status_code == 204
    assert client.get("/readyz").status_code == 200
    server.stop()

    assert client.get("/healthz").status_code == 200
    refused = [client.get("/readyz"), post("v1"), post("v2")]
    problem = client.get("/v1/players/Bob", headers=KEY)
    assert [response.status_code for response in refused] == [503] * 3
    check_problem(problem, 503)
    for response in (*refused[1:], problem):
        assert int(response.headers["Retry-After"]) > 0
    for response in (*refused, problem):
        for detail in ("127.0.0.1", str(server.port), "p@ss", "SELECT", "pymysql"):
            assert detail not in response.text

    server.start()
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert [post("v1").status_code, post("v2").status_code] == [204, 204]
    player = client.get("/v1/players/Bob", headers=KEY).get_json()
    assert player["gold"] == "200.00"
