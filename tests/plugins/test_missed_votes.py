"""gamemonitoring's list is polled: what was never delivered is fetched and paid, once, as if it had been."""

from typing import Any

import pytest

from app.database.source_models import Poll
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.deliveries import post_vote
from app.testing.services import REWARDS
from app.testing.vote_api import VoteApi, answer
from tests.world.vote_list import VoteSite

SECTION = """
[plugins.gamemonitoring]
api_url = "{vote_api}"
tokens = ["{token}"]
servers = ["1"]
{poll}
[plugins.gold]
"""


@pytest.fixture
def open_polled(open_service: Any, vote_api: VoteApi) -> Any:
    def open_one(poll: str = "poll_every = 60") -> Guerdon:
        plugins = SECTION.replace("{poll}", poll)
        guerdon: Guerdon = open_service(REWARDS, "", plugins)
        return guerdon

    return open_one


def poll_and_pay(guerdon: Guerdon, clock: Any, later: float = 61) -> str:
    clock.advance(later)
    guerdon.poller.poll_due()
    with guerdon.database.connection_context():
        lease = guerdon.inbox.take_due(100)
        for id_ in lease.ids:
            guerdon.deliveries.retry(id_, lease.token)
    return read_books(guerdon).gold["Bob"]


def test_it_works(open_polled: Any, vote_api: VoteApi, clock: Any) -> None:
    guerdon, site = open_polled(), VoteSite(vote_api)
    site.add("old", clock.now - 86_400_000)
    site.add("missed", clock.now - 60_000)

    assert poll_and_pay(guerdon, clock) == "100.00"
    assert poll_and_pay(guerdon, clock) == "100.00"
    assert read_books(guerdon).events == ["missed"]


def test_what_is_delivered_too_is_paid_once(
    open_polled: Any, vote_api: VoteApi, clock: Any
) -> None:
    guerdon, site = open_polled(), VoteSite(vote_api)
    site.add("v1", clock.now - 60_000)
    site.add("v0", clock.now - 9_000_000)
    assert poll_and_pay(guerdon, clock) == "100.00"
    assert post_vote(guerdon, "v1").status_code == 204

    site.add("v2", clock.now)
    assert post_vote(guerdon, "v2").status_code == 204
    assert poll_and_pay(guerdon, clock) == "200.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_list_that_fails_is_read_again_from_where_it_was_whole(
    open_polled: Any, vote_api: VoteApi, clock: Any
) -> None:
    guerdon, site = open_polled(), VoteSite(vote_api)
    site.add("v0", clock.now - 9_000_000)
    poll_and_pay(guerdon, clock)
    site.fail = lambda handler, page: answer(handler, 503, {}) or True
    for _ in range(3):
        site.add(f"v{clock.now}", clock.now)
        poll_and_pay(guerdon, clock, 7200)
    with guerdon.database.connection_context():
        assert "it answered 503" in Poll.get().reason

    site.fail = lambda handler, page: False
    assert poll_and_pay(guerdon, clock) == "300.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_the_setting_nobody_is_asked(
    open_polled: Any, vote_api: VoteApi, clock: Any
) -> None:
    guerdon, site = open_polled(""), VoteSite(vote_api)
    site.add("missed", clock.now)

    assert poll_and_pay(guerdon, clock) == "0.00"
    assert site.asked == []
