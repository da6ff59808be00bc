"""Sources that are asked: each vote once, from where the last poll has got to, on one host at a time."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Event, Waiting
from app.database.source_models import Poll
from app.failpoints import VARIABLE
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from app.testing.waiting import wait_until
from tests.world.polled_site import PLUGIN, PolledSite
from tests.world.servers import ROOT

POLLING_POINTS = ("polling: kept, before COMMIT", "polling: kept, after COMMIT")
REWARDS = """
[[rules]]
name = "a ping"
on = "ping"
source = "polls"
give = [{ reward = "gold", amount = "5.00" }]
"""


@pytest.fixture
def guerdon(add_plugin: Any, open_service: Any) -> Guerdon:
    guerdon: Guerdon = open_service(REWARDS, add_plugin(PLUGIN, "polls"))
    add_player(guerdon, "Ann")
    return guerdon


@pytest.fixture
def site(guerdon: Guerdon, tmp_path: Path) -> PolledSite:
    return PolledSite(tmp_path / "plugins")


def pay_waiting(guerdon: Guerdon) -> int:
    """How many were paid."""
    with guerdon.database.connection_context():
        lease = guerdon.inbox.take_due(100)
        for id_ in lease.ids:
            guerdon.deliveries.retry(id_, lease.token)
        return int(Event.select().count())


def test_it_works(guerdon: Guerdon, site: PolledSite, clock: Any) -> None:
    site.add_votes("a", "b", "c", "d")
    guerdon.poller.poll_due()
    clock.advance(1)
    guerdon.poller.poll_due()
    assert pay_waiting(guerdon) == 4

    site.add_votes("e")
    guerdon.poller.poll_due()  # not due yet
    clock.advance(120)
    guerdon.poller.poll_due()

    assert pay_waiting(guerdon) == 5
    assert site.asked == [0, 3, 4]


def test_what_is_told_again_is_passed_over(guerdon: Guerdon, site: PolledSite, clock: Any) -> None:
    site.add_votes("a", "b")
    guerdon.poller.poll_due()
    assert pay_waiting(guerdon) == 2
    with guerdon.database.connection_context():
        Poll.update(place="0", due_at=0).where(Poll.source == "polls").execute()
    site.add_votes("c")
    guerdon.poller.poll_due()

    assert pay_waiting(guerdon) == 3
    with guerdon.database.connection_context():
        assert Waiting.select().count() == 3


def test_a_site_that_fails_keeps_its_place_and_is_asked_again(
    guerdon: Guerdon, site: PolledSite, clock: Any
) -> None:
    site.add_votes("a")
    guerdon.poller.poll_due()
    site.fail("it is down for the night")
    site.add_votes("b")
    clock.advance(121)
    guerdon.poller.poll_due()
    with guerdon.database.connection_context():
        row = Poll.get_by_id("polls")
    assert (row.place, row.reason) == ("1", "it is down for the night")
    assert row.due_at == clock.now + 7000

    site.fail()
    clock.advance(7)
    guerdon.poller.poll_due()
    assert pay_waiting(guerdon) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "answer", [[1, 2, 3], "text", 7, [[], None], [[{"id": 1}], None, 5]], ids=str
)
def test_what_no_plugin_should_return_moves_nothing(
    guerdon: Guerdon, site: PolledSite, answer: Any
) -> None:
    site.fail(breaks=answer)
    guerdon.poller.poll_due()

    with guerdon.database.connection_context():
        row = Poll.get_by_id("polls")
        assert (row.place, row.reason) == ("null", "the plugin failed: TypeError")
        assert not Waiting.select().exists()


def test_of_two_hosts_one_polls_and_of_two_polls_at_once_one_is_kept(
    guerdon: Guerdon, site: PolledSite, clock: Any
) -> None:
    other = open_guerdon(guerdon.config.path, clock)
    try:
        site.add_votes(*(f"v{number}" for number in range(3)))
        threads = [
            threading.Thread(target=one.poller.poll_due)
            for one in (guerdon, other)
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pay_waiting(guerdon) == 3
        with guerdon.database.connection_context():
            assert Waiting.select().count() == 3
            assert Poll.get_by_id("polls").place == "3"
    finally:
        other.close()


def test_the_dispatcher_polls_by_itself(
    guerdon: Guerdon, site: PolledSite, start_gunicorn: Any
) -> None:
    site.add_votes("a", "b")
    start_gunicorn(guerdon.config.path, workers=2)

    def is_paid() -> bool:
        with guerdon.database.connection_context():
            return bool(Event.select().count() == 2)

    wait_until(is_paid)
    assert site.asked == [0]


def test_killed_at_every_point_each_vote_is_paid_once(
    guerdon: Guerdon, site: PolledSite, clock: Any, tmp_path: Path
) -> None:
    points = tmp_path / "points"
    points.mkdir()
    for number, point in enumerate(POLLING_POINTS):
        site.add_votes(f"v{number}-1", f"v{number}-2")
        (points / point).touch()
        codes = []
        for _ in range(2):
            clock.advance(600)  # the lease of who was killed has run out
            words = [str(guerdon.config.path), str(clock.now)]
            done = subprocess.run(
                [sys.executable, "-m", "tests.world.polling_alone", *words], cwd=ROOT, check=False,
                capture_output=True, text=True, timeout=120, env=os.environ | {VARIABLE: str(points)},
            )  # fmt: skip
            codes.append(done.returncode)
        assert codes == [-9, 0], done.stderr[-2000:]

    with guerdon.database.connection_context():
        assert Event.select().count() == 4
    assert read_books(guerdon).gold == {"Ann": "20.00", "Bob": "0.00"}
