"""What cannot be paid is kept by the very commit that pays what came with it; and never less than alone."""

import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.database.keys import make_event_key
from app.database.models import Attempt, OwnPlayer, Waiting
from app.database.states import BoxState
from app.failpoints import VARIABLE
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Delivery, Event, Outcome
from app.testing.clock import Clock
from app.testing.deliveries import make_delivery as sign_delivery
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from app.web.building import build_app
from tests.paying.test_settling import count_commits, settle, settle_states
from tests.world.proxying import Proxy

DELAY = 5  # seconds; the first of [inbox] retry_delays


def make_delivery(id: str) -> Delivery:
    return Delivery("gamemonitoring", "server.vote", id, token="token 1", data={"vote": id})


def make_work(id: str, nickname: str = "Bob", delivery: Delivery | None = None) -> Work:
    event = Event("gamemonitoring", "server.vote", id, server_id="1", nickname=nickname)
    return Work([event], "token 1", delivery=delivery or make_delivery(id))


def read_rows(guerdon: Guerdon) -> list[dict[str, Any]]:
    """The inbox; rows have no ids of their own here."""
    with guerdon.database.connection_context():
        rows = list(Waiting.select().order_by(Waiting.event_id).dicts())
    return [{**row, "id": None, "ordered_key": bytes(row["ordered_key"])} for row in rows]


def read_attempts(guerdon: Guerdon) -> list[tuple[str, str]]:
    with guerdon.database.connection_context():
        return [(row.what, row.detail) for row in Attempt.select().order_by(Attempt.id)]


def test_it_works(
    guerdon: Guerdon, request: pytest.FixtureRequest, read_gold: Callable[..., str]
) -> None:
    outcomes: list[Outcome] = []
    told: list[Outcome] = []
    nobody = make_delivery("v2")

    def act() -> None:
        outcomes.extend(settle(guerdon, [make_work("v1"), make_work("v2", "Nobody")]))
        told.append(guerdon.inbox.keep(nobody, outcomes[1]))

    assert count_commits(guerdon, request, act) == 1
    assert [outcome.state for outcome in outcomes] == ["settled", "waiting"]
    assert (told[0].state, told[0].retry_in) == ("waiting", DELAY)
    assert read_gold() == "100.00"
    [row] = read_rows(guerdon)
    assert (row["event_id"], row["state"], row["attempts"]) == ("v2", "ready", 1)
    assert row["data"] == '{"vote":"v2"}'
    assert read_attempts(guerdon) == [("delivery", told[0].reason)]


def test_where_nothing_is_paid_who_delivers_keeps_it(guerdon: Guerdon) -> None:
    [outcome] = settle(guerdon, [make_work("v1", "Nobody")])
    assert read_rows(guerdon) == []

    guerdon.inbox.keep(make_delivery("v1"), outcome)
    assert [row["event_id"] for row in read_rows(guerdon)] == ["v1"]


def test_who_says_no_delivery_has_nothing_kept(guerdon: Guerdon) -> None:
    of_a_retry = replace(make_work("v2", "Nobody"), delivery=None)

    assert settle_states(guerdon, [make_work("v1"), of_a_retry]) == ["settled", "waiting"]
    assert read_rows(guerdon) == []


def test_another_delivery_of_the_same_event_is_kept_for_itself(guerdon: Guerdon) -> None:
    first, second = make_delivery("first"), make_delivery("second")
    works = [make_work("v1"), make_work("v2", "Nobody", first), make_work("v2", "Nobody", second)]

    outcomes = settle(guerdon, works)
    for delivery, outcome in zip((first, second), outcomes[1:], strict=True):
        guerdon.inbox.keep(delivery, outcome)

    rows = read_rows(guerdon)
    assert [(row["event_id"], row["attempts"]) for row in rows] == [("first", 1), ("second", 1)]


def test_who_brings_it_at_the_same_time_is_counted_too(guerdon: Guerdon, vote_api: VoteApi) -> None:
    """Whether they meet or not: two deliveries are two attempts."""
    vote_api.nickname = lambda id: "Nobody" if id == "bad" else "Bob"
    is_held, may_go = threading.Event(), threading.Event()

    def hold(is_retry: bool) -> None:
        """What v1 is settled with waits, and the others gather behind it."""
        OwnPlayer.update(gold=OwnPlayer.gold).execute()
        is_held.set()
        may_go.wait(60)

    with ThreadPoolExecutor(5) as pool:
        holding = pool.submit(guerdon.database.transact, hold)
        assert is_held.wait(60)
        settling = guerdon.deliveries._settling
        told = [pool.submit(guerdon.deliveries.accept, make_delivery("v1"))]
        wait_until(lambda: "v1" in vote_api.asked and settling._queue.empty())
        for id in ("good", "bad", "bad"):
            told.append(pool.submit(guerdon.deliveries.accept, make_delivery(id)))
        wait_until(lambda: settling._queue.qsize() == 2)
        wait_until(lambda: count_waiters(guerdon, make_delivery("bad")) == 2)
        may_go.set()
        holding.result()
        states = [one.result().state for one in told]

    assert states == ["settled", "settled", "waiting", "waiting"]
    assert [(row["event_id"], row["attempts"]) for row in read_rows(guerdon)] == [("bad", 2)]


def count_waiters(guerdon: Guerdon, delivery: Delivery) -> int:
    """Who waits for the answer of a delivery that is being paid, and whoever pays it."""
    key = make_event_key(delivery.source, delivery.type, delivery.id)
    running = guerdon.deliveries._running.get(key)
    return 1 + len(running._waiters) if running else 0


def nest(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"in": inner}
    return inner


UNKEEPABLE = {
    "data that JSON cannot hold": {"data": {"what": object()}},
    "an id that no column holds": {"id": "x" * 300},
    "half a letter": {"id": "\ud800"},
    "a token that no column holds": {"token": "t" * 300},
    "no id": {"id": None},
    "data that is too deep": {"data": nest(3000)},
    "more data than the others should wait for": {"data": {"what": "x" * 70_000}},
}


@pytest.mark.parametrize("changes", UNKEEPABLE.values(), ids=UNKEEPABLE)
def test_one_that_cannot_be_kept_costs_nobody_else(
    guerdon: Guerdon, request: pytest.FixtureRequest, changes: dict[str, Any]
) -> None:
    delivery = replace(make_delivery("v2"), **changes)
    works = [make_work("v1"), make_work("v2", "Nobody", delivery), make_work("v3", "Nobody")]
    outcomes: list[Outcome] = []

    commits = count_commits(guerdon, request, lambda: outcomes.extend(settle(guerdon, works)))

    assert commits == 1
    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "waiting"]
    assert [row["event_id"] for row in read_rows(guerdon)] == ["v3"]


@pytest.mark.on_servers
@pytest.mark.parametrize("forwarded", [True, False], ids=["no answer", "not even asked"])
def test_a_commit_that_is_lost_keeps_it_once(
    open_service: Callable[..., Guerdon], proxied_url: str, proxy: Proxy, forwarded: bool
) -> None:
    guerdon = open_service(url=proxied_url)
    proxy.cut(b"COMMIT", forwarded=forwarded)
    outcomes = settle(guerdon, [make_work("v1"), make_work("v2", "Nobody")])
    assert proxy.cuts_left == 0
    told = guerdon.inbox.keep(make_delivery("v2"), outcomes[1])

    assert (outcomes[0].state, told.state) == ("known" if forwarded else "settled", "waiting")
    [row] = read_rows(guerdon)
    assert (row["event_id"], row["state"]) == ("v2", "ready")


SHOP = """
    import time
    from pathlib import Path
    from marshmallow import Schema
    from app import NotReady, hookimpl

    CLOSED, WAITS, ASKED = Path({closed!r}), Path({waits!r}), Path({asked!r})

    @hookimpl
    def reward_schemas():
        return {{"bread": Schema}}

    @hookimpl
    def grant_reward(reward, event, db, batch):
        if reward.kind != "bread":
            return None
        with ASKED.open("a") as asked:
            asked.write(event.id + "\\n")
        while event.id == "first" and CLOSED.exists():
            WAITS.touch()
            time.sleep(0.01)
        if event.id.startswith(("first", "paid")):
            return {{}}
        if event.id == "odd reason":
            raise NotReady(5)
        if event.id == "odd time":
            raise NotReady("never", retry_in=10**400)
        raise NotReady("sold out", retry_in=60)
"""
BREAD = """
[[rules]]
name = "bread"
on = "server.vote"
give = [{ reward = "bread" }]
"""


class Shop:
    """A Guerdon whose plugin has only some bread, and makes whoever comes wait while it is closed."""

    def __init__(self, guerdon: Guerdon, closed: Path, waits: Path, asked: Path) -> None:
        self.guerdon, self.closed, self.waits, self.asked = guerdon, closed, waits, asked
        self.client = build_app(guerdon).test_client()

    def deliver(self, id: str) -> int:
        body = sign_delivery(id)
        return self.client.post("/webhooks/gamemonitoring", data=body).status_code

    def serve_together(
        self, *acts: Callable[[], Any], before: Callable[[], object] = bool
    ) -> list[Any]:
        """What these acts answer, each of which settles one event, all in one batch, and `before` that."""
        settling = self.guerdon.deliveries._settling
        self.closed.touch()
        with ThreadPoolExecutor(len(acts) + 1) as pool:
            first = pool.submit(self.deliver, "first")
            wait_until(self.waits.exists)
            answers = [pool.submit(act) for act in acts]
            wait_until(lambda: settling._queue.qsize() == len(acts))
            before()
            self.closed.unlink()
            assert first.result() == 204
            return [answer.result() for answer in answers]


@pytest.fixture
def shop(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], tmp_path: Path
) -> Shop:
    files = {name: tmp_path / name for name in ("closed", "waits", "asked")}
    section = add_plugin(SHOP.format(**{name: str(path) for name, path in files.items()}))
    return Shop(open_service(more=section, rewards=BREAD), **files)


@pytest.mark.parametrize("state", BoxState)
def test_one_that_is_there_costs_nobody_else_and_is_kept_as_alone(
    shop: Shop, request: pytest.FixtureRequest, state: BoxState
) -> None:
    guerdon = shop.guerdon
    outcome = settle(guerdon, [make_work("alone")])[0]
    for id in ("alone", "together"):
        guerdon.inbox.keep(make_delivery(id), outcome)
    with guerdon.database.connection_context():
        Waiting.update(state=state, takes=3, retries=2, due_at=7).execute()

    alone = guerdon.inbox.keep(make_delivery("alone"), outcome)
    works = [make_work("paid"), make_work("together")]
    shop.asked.unlink()
    outcomes: list[Outcome] = []
    commits = count_commits(guerdon, request, lambda: outcomes.extend(settle(guerdon, works)))
    together = guerdon.inbox.keep(make_delivery("together"), outcomes[1])

    assert (commits, outcomes[0].state) == (1, "settled")
    assert shop.asked.read_text().split() == ["paid", "together"]  # all was done once
    assert together == alone
    rows = [row | {"ordered_key": b"", "event_id": "", "data": ""} for row in read_rows(guerdon)]
    assert rows[0] == rows[1]
    assert rows[0]["attempts"] == 2
    assert len(read_attempts(guerdon)) == 4


@pytest.mark.parametrize("id", ["odd reason", "odd time"])
def test_what_a_plugin_says_oddly_costs_nobody_else(
    shop: Shop, request: pytest.FixtureRequest, id: str
) -> None:
    works = [make_work("paid"), make_work(id), make_work("sold out")]
    outcomes: list[Outcome] = []

    commits = count_commits(request=request, guerdon=shop.guerdon,
                            act=lambda: outcomes.extend(settle(shop.guerdon, works)))  # fmt: skip

    assert commits == 1
    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "waiting"]
    assert [row["event_id"] for row in read_rows(shop.guerdon)] == ["sold out"]


@pytest.mark.on_servers
def test_deliveries_that_come_together_are_paid_and_kept_by_one_commit(
    shop: Shop, request: pytest.FixtureRequest
) -> None:
    def deliver(id: str) -> Callable[[], int]:
        return lambda: shop.deliver(id)

    assert shop.deliver("paid-before") == 204  # the database is inspected by whoever is first
    answers: list[int] = []
    acts = [deliver("paid"), deliver("late"), deliver("later")]
    commits = count_commits(
        shop.guerdon, request, lambda: answers.extend(shop.serve_together(*acts))
    )

    assert (commits, answers) == (2, [204, 503, 503])  # the first one's, and theirs
    assert [row["event_id"] for row in read_rows(shop.guerdon)] == ["late", "later"]


@pytest.mark.on_servers
def test_a_retry_brings_nothing_back_that_was_removed_meanwhile(shop: Shop, clock: Clock) -> None:
    assert shop.deliver("late") == 503
    clock.advance(60)
    lease = shop.guerdon.inbox.take_due(1)
    [row] = lease.rows

    def retry() -> Outcome:
        return shop.guerdon.deliveries.retry(row.id, lease.token)

    def erase() -> None:
        with shop.guerdon.database.connection_context():
            Waiting.delete().execute()

    retried, status = shop.serve_together(retry, lambda: shop.deliver("paid"), before=erase)

    assert (retried.state, status) == ("waiting", 204)
    assert read_rows(shop.guerdon) == []


def settle_and_die(config: Path) -> None:
    settle(open_guerdon(config), [make_work("v1"), make_work("v2", "Nobody")])


@pytest.mark.parametrize(
    ("point", "is_kept"),
    [("inbox: parked, before COMMIT", False), ("settling: before COMMIT", False),
     ("settling: after COMMIT", True)],
)  # fmt: skip
def test_who_is_killed_has_paid_and_kept_both_or_neither(
    guerdon: Guerdon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, is_kept: bool,
    read_gold: Callable[..., str],
) -> None:  # fmt: skip
    points = tmp_path / "points"
    points.mkdir()
    (points / point).touch()
    monkeypatch.setenv(VARIABLE, str(points))
    process = multiprocessing.get_context("spawn").Process(
        target=settle_and_die, args=(guerdon.config.path,)
    )
    process.start()
    process.join(60)

    assert process.exitcode == -signal.SIGKILL
    assert [row["event_id"] for row in read_rows(guerdon)] == (["v2"] if is_kept else [])
    assert read_gold() == ("100.00" if is_kept else "0.00")
