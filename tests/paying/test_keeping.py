"""What cannot be paid is kept by the very commit that pays what came with it; and never less than alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.database.models import Attempt, Waiting
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Delivery, Event, Outcome
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


@pytest.mark.parametrize("state", BoxState)
@pytest.mark.parametrize("attempts", [1, 200])
def test_one_that_comes_again_is_kept_as_it_is_alone(
    guerdon: Guerdon, state: BoxState, attempts: int
) -> None:
    ids = ("alone", "together")
    outcome = guerdon.settler.settle([make_work("alone", "Nobody")])[0]
    for id in ids:
        guerdon.inbox.keep(make_delivery(id), outcome)
    with guerdon.database.connection_context():
        Waiting.update(state=state, attempts=attempts, takes=3, retries=2, due_at=7).execute()
    before = len(read_attempts(guerdon))

    alone = guerdon.inbox.keep(make_delivery("alone"), outcome)
    works = [make_work("v1"), make_work("together", "Nobody")]
    together = guerdon.inbox.keep(make_delivery("together"), settle(guerdon, works)[1])

    assert together == alone
    rows = [row | {"ordered_key": b"", "event_id": "", "data": ""} for row in read_rows(guerdon)]
    assert rows[0] == rows[1]
    assert rows[0]["attempts"] == attempts + 1
    assert len(read_attempts(guerdon)) - before == (2 if attempts == 1 else 0)


def test_another_delivery_of_the_same_event_is_kept_for_itself(guerdon: Guerdon) -> None:
    first, second = make_delivery("first"), make_delivery("second")
    works = [make_work("v1"), make_work("v2", "Nobody", first), make_work("v2", "Nobody", second)]

    outcomes = settle(guerdon, works)
    for delivery, outcome in zip((first, second), outcomes[1:], strict=True):
        guerdon.inbox.keep(delivery, outcome)

    rows = read_rows(guerdon)
    assert [(row["event_id"], row["attempts"]) for row in rows] == [("first", 1), ("second", 1)]


UNKEEPABLE = {
    "data that JSON cannot hold": {"data": {"what": object()}},
    "an id that no column holds": {"id": "x" * 300},
    "half a letter": {"id": "\ud800"},
    "a token that no column holds": {"token": "t" * 300},
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
