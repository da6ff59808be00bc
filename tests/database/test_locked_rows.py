"""Rows, and whole databases, that others lock: who is concerned waits, and nobody else."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Claim, Waiting
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import LOCKS_WAITED_FOR
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def hold_row(database_server: DatabaseServer, url: str, nickname: str) -> Iterator[None]:
    """Another program changes a player and takes its time to commit."""
    connection = database_server.connect(url.rpartition("/")[2])
    connection.begin()
    connection.cursor().execute("SELECT * FROM players WHERE nickname = %s FOR UPDATE", (nickname,))
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


@pytest.mark.on_servers
def test_a_locked_player_holds_up_his_own_votes_and_nobody_elses(
    open_service: Open,
    vote_api: VoteApi,
    database_server: DatabaseServer,
    database_url: str,
    clock: Clock,
) -> None:
    guerdon = open_service(more="[inbox]\nretry_delays = [1]\n")
    add_player(guerdon, "Alice")
    vote_api.nickname = lambda id: "Bob" if id.startswith("b") else "Alice"
    assert post_vote(guerdon, "b0").status_code == 204
    votes = ["b1", "a1", "a2", "a3", "b2", "a4", "a5"]

    def is_paid(nickname: str, gold: str) -> bool:
        clock.advance(0.1)
        return read_books(guerdon).gold[nickname] == gold

    with hold_row(database_server, database_url, "Bob"):
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(post_vote, guerdon, votes[0])
            time.sleep(0.5)  # it is waiting for the row when the others come
            rest = [pool.submit(post_vote, guerdon, id) for id in votes[1:]]
            replies = [one.result().status_code for one in (first, *rest)]
        books = read_books(guerdon)
        for id, status in zip(votes, replies, strict=True):
            assert (status, id in books.events) == (204, True) or (
                (status, id in books.waiting) == (503, True)
            ), (id, status, books)
        guerdon.dispatcher._poll = 0.1
        guerdon.dispatcher.start()
        wait_until(lambda: is_paid("Alice", "500.00"), 25 - (time.monotonic() - start))
        assert read_books(guerdon).gold["Bob"] == "100.00"

    wait_until(lambda: is_paid("Bob", "300.00"), 30)
    wait_until(lambda: not read_books(guerdon).waiting)
    books = read_books(guerdon)
    assert (books.events, books.grants) == (sorted([*votes, "b0"]), 8)
    assert books.gold == {"Bob": "300.00", "Alice": "500.00"}


@pytest.mark.on_servers
def test_of_many_locked_players_some_are_waited_for_and_the_rest_is_stored(
    open_service: Open, database_server: DatabaseServer, database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A whole batch of them would be waited for one after the other, and everybody's votes with it."""
    monkeypatch.setattr("app.database.opening.LOCK_WAIT", 1)
    guerdon = open_service()
    locked = [f"p{number}" for number in range(8)]
    for nickname in locked:
        add_player(guerdon, nickname)

    with ExitStack() as stack:
        for nickname in locked:
            stack.enter_context(hold_row(database_server, database_url, nickname))
        waits = count_lock_waits(database_server)
        outcomes = settle(guerdon, *(make_work(f"v-{one}", nickname=one) for one in locked))
        waits = count_lock_waits(database_server) - waits

    assert {outcome.state for outcome in outcomes} == {"waiting"}
    assert waits <= 2 + 2 * LOCKS_WAITED_FOR  # the batch, then each alone, each of them twice


def count_lock_waits(database_server: DatabaseServer) -> int:
    """How often a transaction of this server has waited for a row since it was started."""
    [[_, count]] = database_server.run("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'")
    return int(count)


@on_sqlite
@pytest.mark.parametrize(("can_fetch", "limit"), [(True, 14), (False, 6)])
def test_a_delivery_is_answered_in_time_while_another_program_holds_sqlites_lock(
    can_fetch: bool, limit: float, open_service: Open, vote_api: VoteApi, database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """`limit`: seconds, where a writer waits 1 s for its turn and not 15."""
    monkeypatch.setattr("app.database.opening.LOCK_PATIENCE", 1.0)
    guerdon = open_service()
    assert post_vote(guerdon, "v0").status_code == 204
    if not can_fetch:
        vote_api.behave = lambda handler: answer(handler, 500, {})
    holder = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    start = time.monotonic()

    reply = post_vote(guerdon, "v1")

    took = time.monotonic() - start
    holder.execute("ROLLBACK")
    holder.close()
    assert (reply.status_code, took < limit) == (503, True), took
    vote_api.behave = None
    wait_until(lambda: post_vote(guerdon, "v1").status_code == 204)
    assert read_books(guerdon).gold == {"Bob": "200.00"}


def test_two_spellings_of_a_new_name_at_once_are_one_player(
    open_service: Open, write_config: Callable[..., Path], clock: Clock
) -> None:
    more = '[players]\nmatch = "casefold"\nunknown = "create"\n'
    both = [open_service(more=more), open_guerdon(write_config(more=more), clock)]
    at_once = threading.Barrier(2)

    def pay(guerdon: Guerdon, name: str, id: str) -> None:
        at_once.wait(10)
        for _ in range(2):  # who met the other may have to come again
            (outcome,) = settle(guerdon, make_work(id, nickname=name))
        assert outcome.state in ("settled", "known"), outcome

    try:
        with ThreadPoolExecutor(2) as pool:
            for n in range(10):
                tries = [
                    pool.submit(pay, guerdon, name, name)
                    for guerdon, name in zip(both, (f"zed{n}", f"ZED{n}"), strict=True)
                ]
                for one in tries:
                    one.result()
        gold = read_books(both[0]).gold
    finally:
        both[1].close()
    assert len(gold) == len({name.casefold() for name in gold}) == 11
    assert [gold[name] for name in gold if name != "Bob"] == ["200.00"] * 10


IMPATIENT = """
    from marshmallow import Schema
    from app import hookimpl

    calls = []

    @hookimpl
    def reward_schemas():
        return {"pet": Schema}

    @hookimpl
    def grant_reward(reward, event, db):
        if reward.kind != "pet":
            return None
        calls.append(event.id)
        if event.id == "locked":
            db.execute_sql("SELECT id FROM players WHERE nickname = 'Eve' FOR UPDATE NOWAIT")
        if event.id == "twice":
            db.execute_sql("INSERT INTO players (nickname, folded, gold, created_at)"
                           " VALUES ('Bob', '', 0, 0)")
        return {}
"""


@pytest.mark.on_servers
def test_a_singles_own_duplicate_is_not_taken_for_the_lock_its_batch_met(
    open_service: Open,
    add_plugin: Callable[..., str],
    database_server: DatabaseServer,
    database_url: str,
) -> None:
    section = add_plugin(IMPATIENT)
    rule = '[[rules]]\non = "server.vote"\ngive = [{ reward = "pet" }]\n'
    guerdon = open_service(rule, plugins=ALL_PLUGINS + section)
    add_player(guerdon, "Eve")

    with hold_row(database_server, database_url, "Eve"):
        outcomes = settle(guerdon, *map(make_work, ("locked", "twice", "good")))

    assert [outcome.state for outcome in outcomes] == ["waiting", "waiting", "settled"]
    calls = guerdon.plugins.manager.get_plugin("studio").calls
    assert 1 <= calls.count("twice") <= 4
    assert read_books(guerdon).events == ["good"]


def test_a_row_that_has_ended_workers_before_is_taken_alone(
    guerdon: Guerdon, vote_api: VoteApi, clock: Clock
) -> None:
    vote_api.behave = lambda handler: answer(handler, 500, {})
    for id in ("v1", "v2", "v3", "v4"):
        assert post_vote(guerdon, id).status_code == 503
    with guerdon.database.connection_context():
        ids = [row.id for row in Waiting.select().order_by(Waiting.event_id)]
        Waiting.update(takes=2).where(Waiting.event_id == "v2").execute()
    clock.advance(10)

    leases = [guerdon.inbox.take_due(16).ids for _ in range(5)]

    assert sorted(id for lease in leases for id in lease) == ids
    assert (ids[1],) in leases
    assert max(map(len, leases)) > 1  # its neighbours go together


def test_claims_are_leased_together_however_often_they_were(
    open_service: Open, clock: Clock
) -> None:
    from app.paying.claims import lease_claims  # noqa: PLC0415

    rule = '[[rules]]\non = "server.vote"\ngive = [{ reward = "claim", payload = { a = "b" } }]\n'
    guerdon = open_service(rule)
    assert [post_vote(guerdon, id).status_code for id in ("v1", "v2", "v3")] == [204] * 3
    for _ in range(5):
        with guerdon.database.connection_context():
            leased: Any = lease_claims(guerdon.database, "1", 10, 1, clock())
            assert len(leased["claims"]) == 3
        clock.advance(2)
    with guerdon.database.connection_context():
        assert {row.takes for row in Claim.select()} == {5}
