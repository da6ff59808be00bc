"""Corners: claims and their leases, works of several events, odd input, odd tables."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import DatabaseUnavailable
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, TOKEN, get_v1, make_delivery, post_vote
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.books import make_work, serve_once, settle
from tests.world.servers import find_tracebacks

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLAIM = '[[rules]]\non = "server.vote"\ngive = [{ reward = "claim", payload = { a = "b" } }]\n'
KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture
def send(open_service: Open) -> Callable[..., Any]:
    """POST to /v1/claims of a Guerdon where one claim waits on server 1."""
    guerdon = open_service(CLAIM)
    assert post_vote(guerdon, "v1").status_code == 204
    client = create_app(guerdon).test_client()

    def post(path: str, body: Any = None) -> Any:
        return client.post(f"/v1/claims/{path}", headers=KEY, **({"json": body} if body else {}))

    return post


def lease(send: Any, seconds: float = 60) -> tuple[str, str]:
    """The path to acknowledge server 1's one claim, and its lease."""
    (claim,) = send("lease", {"server_id": "1", "seconds": seconds}).get_json()["claims"]
    return f"{claim['id']}/ack", claim["lease"]


def test_a_claim_that_is_done_is_known_to_its_last_holder_alone(send: Any, clock: Clock) -> None:
    path, stale = lease(send, seconds=1)
    clock.advance(2)
    _, mine = lease(send)
    assert send(path, {"lease": stale}).status_code == 409
    assert send(path, {"lease": mine}).status_code == 200

    for given, status in ((stale, 409), ("nonsense", 409), (mine, 200)):
        reply = send(path, {"lease": given})
        assert (given, reply.status_code) == (given, status)
    assert send(path).status_code == 200
    assert send("lease", {"server_id": "1"}).get_json()["claims"] == []


def test_a_holder_whom_nobody_replaced_may_still_acknowledge(send: Any, clock: Clock) -> None:
    path, mine = lease(send, seconds=1)
    clock.advance(100)
    assert send("lease", {"server_id": "2"}).get_json()["claims"] == []  # frees what ran out

    assert send(path, {"lease": "nonsense"}).status_code == 409
    assert [send(path, {"lease": mine}).status_code for _ in range(2)] == [200, 200]
    assert send("lease", {"server_id": "1"}).get_json()["claims"] == []


@pytest.mark.parametrize("server", [{}, {"server": None}, {"server": {"id": ""}}])
def test_a_claim_without_a_server_waits_for_one(
    server: dict[str, Any], open_service: Open, vote_api: VoteApi
) -> None:
    guerdon = open_service(CLAIM)
    vote_api.votes["v1"] = {"nickname": "Bob"} | server

    reply = post_vote(guerdon, "v1")

    assert (reply.status_code, "server" in reply.text) == (503, True)
    books = read_books(guerdon)
    assert (books.events, books.waiting) == ([], {"v1": reply.text.strip()})
    vote_api.votes["v1"]["server"] = {"id": 1}
    assert post_vote(guerdon, "v1").status_code == 204
    assert read_books(guerdon).grants == 1


def test_the_dispatcher_pays_nothing_while_the_database_is_not_fit(
    guerdon: Guerdon, vote_api: VoteApi, clock: Clock, write_config: Callable[..., Path]
) -> None:
    vote_api.behave = lambda handler: answer(handler, 500, {})
    assert post_vote(guerdon, "v1").status_code == 503
    vote_api.behave = None
    with guerdon.database.connection_context():
        (index,) = [i for i in guerdon.database.get_indexes("guerdon_events") if i.unique
                    and i.columns == ["ordered_key"]]  # fmt: skip
        table = " ON guerdon_events" if guerdon.database.family == "mysql" else ""
        guerdon.database.execute_sql(f"DROP INDEX {index.name}{table}")
    clock.advance(10)
    restarted = open_guerdon(write_config(), clock)
    try:
        with pytest.raises(DatabaseUnavailable):
            serve_once(restarted)
        assert read_books(restarted).gold == {"Bob": "0.00"}
        assert vote_api.asked == ["v1"]

        restarted.migrate()
        wait_until(lambda: is_served(restarted))
        assert read_books(restarted).gold == {"Bob": "100.00"}
    finally:
        restarted.close()


def is_served(guerdon: Guerdon) -> bool:
    try:
        serve_once(guerdon)
    except DatabaseUnavailable:
        return False
    return not read_books(guerdon).waiting


@pytest.mark.parametrize(
    ("before", "batch", "states", "paid"),
    [
        (["b"], [["a", "b"]], ["settled"], ["a", "b"]),
        (["b", "c"], [["a", "b", "c", "d"]], ["settled"], ["a", "b", "c", "d"]),
        ([], [["a", "a"]], ["settled"], ["a"]),
        ([], [["a", "b", "a", "b"]], ["settled"], ["a", "b"]),
        ([], [["a", "s"], ["b", "s"]], ["settled", "settled"], ["a", "b", "s"]),
        ([], [["a", "s"], ["s"]], ["settled", "known"], ["a", "s"]),
        (["s"], [["a", "s"], ["s"], ["b", "s"]], ["settled", "known", "settled"], ["a", "b", "s"]),
    ],
)
def test_each_event_of_a_work_is_paid_once_wherever_else_it_occurs(
    before: list[str], batch: list[list[str]], states: list[str], paid: list[str], guerdon: Guerdon
) -> None:
    settle(guerdon, *map(make_work, before))

    outcomes = settle(guerdon, *(make_work(*ids) for ids in batch))

    assert [outcome.state for outcome in outcomes] == states
    granted = [grant.event.id for outcome in outcomes for grant in outcome.grants]
    assert sorted(granted) == sorted(set(paid) - set(before))
    books = read_books(guerdon)
    assert (books.events, books.grants) == (paid, len(paid))
    assert books.gold == {"Bob": f"{100 * len(paid)}.00"}


def test_of_two_works_that_share_an_event_one_that_cannot_be_paid_costs_the_other_nothing(
    guerdon: Guerdon,
) -> None:
    nobody = make_work("a", "s")
    nobody = type(nobody)([*make_work("a", nickname="Nobody").events, *make_work("s").events])

    outcomes = settle(guerdon, nobody, make_work("s"), make_work("b", "s"))

    assert [outcome.state for outcome in outcomes] in (
        ["waiting", "settled", "settled"],
        ["waiting", "known", "settled"],
    )
    books = read_books(guerdon)
    assert (books.events, books.gold) == (["b", "s"], {"Bob": "200.00"})


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1e99999999999999999999}', b'{"a":-1E-99999999999999999999}', b'{"event_id":1E400}',
        b'{"event_id":' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_numbers_beyond_all_measure_are_a_bad_delivery_and_no_error_of_ours(
    body: bytes, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert client.post("/webhooks/gamemonitoring", data=body).status_code == 400
    leased = client.post("/v1/claims/lease", data=body, headers=KEY)
    assert leased.status_code in (400, 422)
    assert find_tracebacks(capsys.readouterr().err) == []


@on_sqlite
@pytest.mark.parametrize("id", [False, None])
def test_an_event_id_that_php_would_write_as_nothing_is_refused(
    id: Any, deliver: Callable[..., Any], vote_api: VoteApi
) -> None:
    assert deliver(id).status_code == 400
    assert vote_api.asked == []


@on_sqlite
@pytest.mark.parametrize("server", [[], False, True, "", 0, "1", [1], [{"id": 1}]])
def test_a_server_of_another_shape_is_not_guessed(
    server: Any, guerdon: Guerdon, deliver: Callable[..., Any], vote_api: VoteApi
) -> None:
    vote_api.votes["v1"] = {"nickname": "Bob", "server": server}

    assert deliver("v1").status_code == 503

    books = read_books(guerdon)
    assert (list(books.waiting), books.gold) == (["v1"], {"Bob": "0.00"})


@on_sqlite
@pytest.mark.parametrize("created_at", ["soon", [], {}, True, -1, 10**30])
def test_a_time_of_another_shape_is_never_taken_for_one(
    created_at: Any, guerdon: Guerdon, deliver: Callable[..., Any], vote_api: VoteApi
) -> None:
    vote_api.votes["v1"] = {"nickname": "Bob", "server": {"id": 1}, "created_at": created_at}

    assert deliver("v1").status_code in (204, 503)
    assert get_v1(guerdon, "/events/server.vote/v1")["occurred_at"] is None


@on_sqlite
def test_plain_tokens_are_told_apart_by_their_place(open_service: Open) -> None:
    tokens = (
        'tokens = ["{token}", "second", {{ env = "NONE", default = "x", name = "third" }}, "4th"]'
    )
    guerdon = open_service(plugins=ALL_PLUGINS.replace('tokens = ["{token}"]', tokens))
    client = create_app(guerdon).test_client()

    for number, token in enumerate((TOKEN, "second", "x", "4th"), 1):
        body = make_delivery(f"v{number}", token=token)
        assert client.post("/webhooks/gamemonitoring", data=body).status_code == 204

    names = [get_v1(guerdon, f"/events/server.vote/v{number}")["token"] for number in (1, 2, 3, 4)]
    assert names == ["token 1", "token 2", "third", "token 4"]


@pytest.mark.on_servers
def test_players_with_binary_ids_are_paid_and_booked_in_hex(
    open_service: Open, database_server: DatabaseServer, database_url: str
) -> None:
    database = database_url.rpartition("/")[2]
    database_server.run(
        "CREATE TABLE users (id BINARY(16) PRIMARY KEY, nickname VARCHAR(50),"
        " gold DECIMAL(18, 2) NOT NULL DEFAULT 0) ENGINE=InnoDB CHARSET=utf8mb4",
        database=database,
    )
    ids = {"Bob": "8090A0B0C0D0E0F08090A0B0C0D0E0F0", "Eve": "00FF27225C0A0D1A00FF27225C0A0D1A"}
    for nickname, hex_id in ids.items():
        database_server.run(
            "INSERT INTO users VALUES (UNHEX(%s), %s, 0)", (hex_id, nickname), database
        )
    gifts = '{ reward = "gold", amount = 5 }, { reward = "item", item = "x" }'
    rules = CLAIM.replace("{ reward", f"{gifts}, {{ reward", 1)
    guerdon = open_service(rules, more='[players]\ntable = "users"\n')

    assert guerdon.inspect() == []
    assert post_vote(guerdon, "v1").status_code == 204
    works = [make_work(f"{n}-{name}", nickname=name, server_id="1") for n in "12" for name in ids]
    assert [outcome.state for outcome in settle(guerdon, *works)] == ["settled"] * 4

    assert read_books(guerdon, "users").gold == {"Bob": "15.00", "Eve": "10.00"}
    shown = get_v1(guerdon, "/players/Bob")
    assert (shown["gold"], shown["items"], len(shown["grants"])) == ("15.00", {"x": 3}, 9)
    assert {grant["player_id"].upper() for grant in shown["grants"]} == {ids["Bob"]}
    json.dumps(shown)
