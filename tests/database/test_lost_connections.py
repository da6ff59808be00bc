"""A connection lost once, wherever that happens, costs nobody anything, and the pool no connection."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from peewee import OperationalError

from app import create_app
from app.database.error_kinds import classify_error
from app.database.keys import make_event_key
from app.database.opening import open_database
from app.guerdon import Guerdon
from app.paying.describing import describe_player
from app.porch.types import Player
from app.testing.books import Books, read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, post_vote
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.proxying import SWALLOW, Proxy

pytestmark = pytest.mark.on_servers
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "gold", amount = 100 }, { reward = "claim", payload = { a = "b" } }]
"""
KEY = {"Authorization": f"Bearer {API_KEY}"}
wherever = pytest.mark.parametrize(
    ("at", "forwarded"),
    [
        (at, forwarded)
        for at in ("SELECT", "BEGIN", "UPDATE", "COMMIT")
        for forwarded in (False, True)
    ],
    ids=str,
)


@pytest.fixture
def guerdon(open_service: Callable[..., Guerdon], proxied_url: str) -> Guerdon:
    """Its database is behind the proxy; a first vote is paid and its claim waits."""
    guerdon = open_service(RULES, url=proxied_url)
    assert post_vote(guerdon, "v0").status_code == 204
    return guerdon


@pytest.fixture
def send(guerdon: Guerdon) -> Callable[..., Any]:
    """POST to /v1/claims."""
    client = create_app(guerdon).test_client()
    return lambda path, body: client.post(f"/v1/claims/{path}", json=body, headers=KEY)


def park(guerdon: Guerdon, vote_api: VoteApi, id: str = "v1") -> None:
    """Have a vote wait; the vote API is well again afterwards."""
    vote_api.behave = lambda handler: answer(handler, 500, {})
    assert post_vote(guerdon, id).status_code == 503
    vote_api.behave = None


@pytest.fixture
def is_paid(guerdon: Guerdon, database_url: str) -> Iterator[Callable[..., bool]]:
    """Whether exactly these votes are paid, and nothing waits; asked past the proxy."""
    direct: Any = SimpleNamespace(database=open_database(database_url))

    def ask(*ids: str) -> bool:
        gold = {"Bob": f"{100 * len(ids)}.00"}
        return read_books(direct) == Books(sorted(ids), 2 * len(ids), {}, gold)

    yield ask
    direct.database.close_all()


def cut(proxy: Proxy, at: str, forwarded: bool) -> None:
    """Hang up at the next query that begins with `at`; a 3 is the protocol's word for a query."""
    proxy.cut(b"\x03" + at.encode(), forwarded=forwarded)


@wherever
def test_what_is_due_is_taken_and_paid(
    at: str,
    forwarded: bool,
    guerdon: Guerdon,
    proxy: Proxy,
    vote_api: VoteApi,
    clock: Clock,
    is_paid: Callable[..., bool],
) -> None:
    with ThreadPoolExecutor(1) as pool:
        park(guerdon, vote_api)
        assert pool.submit(guerdon.inbox.take_due, 16).result().ids == ()
        in_use = guerdon.database.pool.count_taken()
        clock.advance(10)

        cut(proxy, at, forwarded)
        lease = pool.submit(guerdon.inbox.take_due, 16).result()

        assert (len(lease.ids), proxy.cuts_left) == (1, 0)
        pool.submit(guerdon.deliveries.retry, lease.ids[0], lease.token).result()
        assert guerdon.database.pool.count_taken() == in_use
    assert is_paid("v0", "v1")


@wherever
def test_a_try_ends_and_its_lease_with_it(
    at: str,
    forwarded: bool,
    guerdon: Guerdon,
    proxy: Proxy,
    vote_api: VoteApi,
    clock: Clock,
    is_paid: Callable[..., bool],
) -> None:
    with ThreadPoolExecutor(1) as pool:
        park(guerdon, vote_api)
        clock.advance(10)
        lease = pool.submit(guerdon.inbox.take_due, 16).result()
        in_use = guerdon.database.pool.count_taken()

        cut(proxy, at, forwarded)
        outcome = pool.submit(guerdon.deliveries.retry, lease.ids[0], lease.token).result()

        assert (outcome.state in ("settled", "known"), proxy.cuts_left) == (True, 0)
        assert guerdon.database.pool.count_taken() == in_use
    assert is_paid("v0", "v1")


@pytest.mark.parametrize("at", ["INSERT", "UPDATE", "COMMIT"])
@pytest.mark.parametrize("forwarded", [False, True])
def test_a_try_in_vain_ends_too(
    at: str,
    forwarded: bool,
    guerdon: Guerdon,
    proxy: Proxy,
    vote_api: VoteApi,
    clock: Clock,
    is_paid: Callable[..., bool],
) -> None:
    park(guerdon, vote_api)
    clock.advance(10)
    lease = guerdon.inbox.take_due(16)
    in_use = guerdon.database.pool.count_taken()
    vote_api.behave = lambda handler: answer(handler, 404, {})

    cut(proxy, at, forwarded)
    assert guerdon.deliveries.retry(lease.ids[0], lease.token).state == "waiting"

    assert (guerdon.database.pool.count_taken(), proxy.cuts_left) == (in_use, 0)
    vote_api.behave = None
    clock.advance(31)  # not a lease's length: it is ready, at its next time
    again = guerdon.inbox.take_due(16)
    assert guerdon.deliveries.retry(again.ids[0], again.token).state == "settled"
    assert is_paid("v0", "v1")


@wherever
def test_a_person_has_it_tried_again(
    at: str, forwarded: bool, guerdon: Guerdon, proxy: Proxy, vote_api: VoteApi
) -> None:
    park(guerdon, vote_api)
    in_use = guerdon.database.pool.count_taken()

    cut(proxy, at, forwarded)
    assert guerdon.inbox.revive([make_event_key("gamemonitoring", "server.vote", "v1")]) == 1

    assert (guerdon.database.pool.count_taken(), proxy.cuts_left) == (in_use, 0)
    assert len(guerdon.inbox.take_due(16).ids) == 1


@wherever
def test_the_dispatcher_lives_on_and_pays(
    at: str,
    forwarded: bool,
    guerdon: Guerdon,
    proxy: Proxy,
    vote_api: VoteApi,
    clock: Clock,
    is_paid: Callable[..., bool],
) -> None:
    park(guerdon, vote_api)
    guerdon.dispatcher._poll = 0.05
    cut(proxy, at, forwarded)
    guerdon.dispatcher.start()
    clock.advance(10)

    def is_seen() -> bool:
        try:
            return is_paid("v0", "v1")
        except OperationalError:  # this test's own look may meet the cut too
            return False

    wait_until(is_seen)

    assert proxy.cuts_left == 0
    assert guerdon.dispatcher._threads
    assert all(thread.is_alive() for thread in guerdon.dispatcher._threads)


def test_the_dispatcher_outlives_a_bug_of_ours(
    guerdon: Guerdon,
    vote_api: VoteApi,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_paid: Callable[..., bool],
) -> None:
    serve, bugs = guerdon.dispatcher.serve_once, [KeyError("a bug"), ValueError("another")]

    def stumble(pool: Any) -> bool:
        if bugs:
            raise bugs.pop()
        return serve(pool)

    monkeypatch.setattr(guerdon.dispatcher, "serve_once", stumble)
    guerdon.dispatcher._poll = 0.05
    park(guerdon, vote_api)
    clock.advance(10)

    guerdon.dispatcher.start()

    wait_until(lambda: is_paid("v0", "v1"))


@wherever
def test_a_game_server_gets_its_claims(
    at: str, forwarded: bool, guerdon: Guerdon, proxy: Proxy, send: Any, clock: Clock
) -> None:
    wanted = {"server_id": "1", "seconds": 1}
    first = send("lease", wanted).get_json()["claims"]
    clock.advance(2)
    in_use = guerdon.database.pool.count_taken()

    cut(proxy, at, forwarded)
    response = send("lease", wanted)

    assert (response.status_code, proxy.cuts_left) == (200, 0)
    (claim,) = response.get_json()["claims"]
    assert claim["id"] == first[0]["id"]
    assert guerdon.database.pool.count_taken() == in_use
    assert send(f"{claim['id']}/ack", {"lease": claim["lease"]}).status_code == 200


@wherever
def test_a_game_server_acknowledges_a_claim(
    at: str, forwarded: bool, guerdon: Guerdon, proxy: Proxy, send: Any
) -> None:
    (claim,) = send("lease", {"server_id": "1"}).get_json()["claims"]
    in_use = guerdon.database.pool.count_taken()

    cut(proxy, at, forwarded)
    response = send(f"{claim['id']}/ack", {"lease": claim["lease"]})

    assert (response.status_code, proxy.cuts_left) == (200, 0)
    assert guerdon.database.pool.count_taken() == in_use
    assert send(f"{claim['id']}/ack", {"lease": claim["lease"]}).status_code == 200
    assert send("lease", {"server_id": "1"}).get_json()["claims"] == []


def test_connections_that_the_server_ended_while_idle_are_replaced_unseen(
    guerdon: Guerdon, database_server: DatabaseServer, send: Any, is_paid: Callable[..., bool]
) -> None:
    statuses = []
    for number in range(1, 4):
        for (id,) in database_server.run(
            "SELECT id FROM information_schema.processlist WHERE user='game'"
        ):
            database_server.run(f"KILL {id}")
        statuses += [
            post_vote(guerdon, f"v{number}").status_code,
            send("lease", {"server_id": "2"}).status_code,
        ]

    assert statuses == [204, 200] * 3
    assert is_paid("v0", "v1", "v2", "v3")


def test_mysqls_word_for_an_idle_connection_it_ended_means_lost(database_url: str) -> None:
    error = OperationalError(
        4031, "The client was disconnected by the server because of inactivity"
    )

    assert classify_error(error) == "lost"


def test_whoever_delivers_waits_for_one_silent_commit_and_not_for_three(
    guerdon: Guerdon, proxy: Proxy, vote_api: VoteApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.opening.ANSWER_TIMEOUT", 1)
    monkeypatch.setattr("app.paying.inbox.PATIENCE", 0.5)
    guerdon.database.close_all()
    vote_api.behave = lambda handler: answer(handler, 500, {})
    proxy.strike(b"\x03COMMIT", SWALLOW, times=3)

    assert post_vote(guerdon, "v1").status_code == 503

    assert proxy.cuts_left == 2


DESCRIBING = """
from app import hookimpl

@hookimpl
def describe_player(player, db):
    before(db)
    with db.atomic():
        db.execute_sql("SELECT 1")
    return {"pet": "cat"}
"""


def test_a_plugin_that_meets_a_lost_connection_as_it_begins_is_asked_again(
    open_service: Callable[..., Guerdon],
    add_plugin: Callable[..., str],
    database_server: DatabaseServer,
) -> None:
    """BEGIN is our database's word too: the plugin has not failed."""
    guerdon = open_service(RULES, more=add_plugin(DESCRIBING))
    killed: list[int] = []

    def kill_once(db: Any) -> None:
        if not killed:
            killed.append(db.execute_sql("SELECT CONNECTION_ID()").fetchone()[0])
            database_server.run(f"KILL {killed[0]}")
            left = f"SELECT 1 FROM information_schema.processlist WHERE id = {killed[0]}"
            wait_until(lambda: not database_server.run(left))

    guerdon.plugins.manager.get_plugin("studio").before = kill_once
    facts = guerdon.plugins, guerdon.database, Player(1, "Bob"), guerdon.now()

    assert guerdon.database.read(lambda: describe_player(*facts))["pet"] == "cat"
