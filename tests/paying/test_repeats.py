"""Event.not_within: what a site that has no ids sends twice is paid once, and honest votes are paid all."""

import threading
from typing import Any

import pytest

from app.database.models import Event, Grant, Waiting
from app.database.source_models import Recent, Repeat
from app.porch.types import Delivery, OutcomeState
from app.testing.players import add_player

HOUR = 3600
ECHO = """
    from app import Delivery, Event, NotReady, hookimpl

    @hookimpl
    def fetch_events(delivery, http):
        if delivery.source != "echo":
            return None
        if delivery.data.get("fails"):
            raise NotReady("not just now", 0)
        who = delivery.data.get("names") or [delivery.data["name"]]
        ids = [delivery.id, *(f"{delivery.id}+{place}" for place in range(1, len(who)))]
        return [
            Event("echo", "ping", id, delivery.data.get("server", "1"), name,
                  occurred_at=delivery.data.get("at"), not_within=6 * 3600,
                  data={"site": delivery.data.get("site", "")})
            for id, name in zip(ids, who)
        ]
"""
PLAIN = """
[[rules]]
name = "a ping"
on = "ping"
give = [{ reward = "gold", amount = "5.00" }]
"""
COUNTED = (
    PLAIN
    + """
[[rules]]
name = "every second"
on = "ping"
count = { every = 2 }
give = [{ reward = "gold", amount = "1.00" }]
"""
)


@pytest.fixture(params=[PLAIN, COUNTED], ids=["plain", "counted"])
def guerdon(request: Any, add_plugin: Any, open_service: Any) -> Any:
    guerdon = open_service(request.param, add_plugin(ECHO, "echo"))
    for name in ("Ann", "Ben"):
        add_player(guerdon, name)
    return guerdon


def bring(guerdon: Any, id: str, **data: Any) -> OutcomeState:
    data = {"name": "Ann", **data}
    return guerdon.receiver.receive(Delivery("echo", "ping", id, data=data)).state


def count_paid(guerdon: Any) -> int:
    with guerdon.database.connection_context():
        return Grant.select().where(Grant.rule == "a ping").count()


def test_it_works(guerdon: Any, clock: Any) -> None:
    assert bring(guerdon, "1") == OutcomeState.SETTLED
    clock.advance(HOUR)
    assert bring(guerdon, "2") == OutcomeState.REPEATED
    assert bring(guerdon, "2") == OutcomeState.KNOWN
    clock.advance(5 * HOUR)
    assert bring(guerdon, "3") == OutcomeState.SETTLED

    assert count_paid(guerdon) == 2
    with guerdon.database.connection_context():
        assert (Event.select().count(), Repeat.select().count(), Recent.select().count()) == (
            3,
            1,
            2,
        )


def test_others_and_other_servers_are_no_repeats(guerdon: Any) -> None:
    assert bring(guerdon, "1") == OutcomeState.SETTLED
    assert bring(guerdon, "2", name="Ben") == OutcomeState.SETTLED
    assert bring(guerdon, "3", server="2") == OutcomeState.SETTLED
    assert bring(guerdon, "4", server="2") == OutcomeState.REPEATED
    assert bring(guerdon, "5", site="another") == OutcomeState.SETTLED
    assert bring(guerdon, "6", site="another") == OutcomeState.REPEATED


def test_what_came_late_is_compared_with_all_there_were(guerdon: Any, clock: Any) -> None:
    """Its time is when it came, not when it could be paid."""
    begun = clock.now
    assert bring(guerdon, "1", fails=True) == OutcomeState.WAITING
    assert bring(guerdon, "2", fails=True) == OutcomeState.WAITING
    clock.advance(10 * HOUR)
    assert bring(guerdon, "3") == OutcomeState.SETTLED
    with guerdon.database.connection_context():
        Waiting.update(data='{"name": "Ann"}').execute()
    lease = guerdon.inbox.take_due(5)
    states = [guerdon.deliveries.retry(id_, lease.token).state for id_ in lease.ids]

    assert sorted(states) == [OutcomeState.REPEATED, OutcomeState.SETTLED]
    assert bring(guerdon, "4", at=begun + HOUR * 1000) == OutcomeState.REPEATED


def test_a_repeat_is_no_vote_that_counts_also_after_a_rebuild(guerdon: Any, clock: Any) -> None:
    for id_ in "1234":
        bring(guerdon, id_)
    clock.advance(7 * HOUR)
    bring(guerdon, "5")

    with guerdon.database.connection_context():
        second = Grant.select().where(Grant.rule == "every second").count()
    assert second == (1 if len(guerdon.rules.all) == 2 else 0)
    assert not list(guerdon.bookkeeping.recounter.verify())


def test_of_many_at_once_one_is_paid(guerdon: Any) -> None:
    states: list[OutcomeState] = []
    barrier = threading.Barrier(12)

    def run(number: int) -> None:
        barrier.wait()
        states.append(bring(guerdon, f"n{number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert states.count(OutcomeState.SETTLED) == count_paid(guerdon) == 1
    assert set(states) == {OutcomeState.SETTLED, OutcomeState.REPEATED}


def test_one_that_fails_takes_nothing_from_the_next(guerdon: Any) -> None:
    """Nobody is called so, so it waits; the name's second vote waits too, and neither is lost."""
    assert bring(guerdon, "1", name="Cid") == OutcomeState.WAITING
    add_player(guerdon, "Cid")

    assert bring(guerdon, "2", name="Cid") == OutcomeState.SETTLED
    assert bring(guerdon, "1", name="Cid") == OutcomeState.REPEATED


def test_two_of_one_player_in_one_delivery_are_one(guerdon: Any) -> None:
    assert bring(guerdon, "1", names=["Ann", "Ben", "Ann"]) == OutcomeState.SETTLED

    assert count_paid(guerdon) == 2


def test_the_timeline_says_why_it_earned_nothing(guerdon: Any, client: Any, ask: Any) -> None:
    bring(guerdon, "1")
    bring(guerdon, "2")

    (step,) = ask("/v1/events/ping/2")["timeline"]
    assert "it earned nothing: the same player had one at 20" in step["detail"]
