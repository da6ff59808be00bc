"""Lists that are asked, against a stand-in of their API: each vote is paid once, and claimed there."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.database.models import Event, Report, Waiting
from app.database.source_models import Poll
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from app.testing.reports import send_reports
from app.testing.vote_api import VoteApi

KEY, DAY = "list-key-1234567890", 86_400
REWARDS = """
[[rules]]
name = "a vote"
on = "server.vote"
source = "listforge"
where = { site = "rust" }
give = [{ reward = "gold", amount = "5.00" }]
"""
SITE = """
[plugins.listforge.sites.{name}]
url = "{url}"
key = "{key}"
server = "{name}-1"
"""


class ListSite:
    """rust-servers.net/help/api, as far as it is asked here; times in seconds."""

    def __init__(self, api: VoteApi) -> None:
        self.votes: list[dict[str, Any]] = []
        self.claims: list[dict[str, str]] = []
        self.lists = 0
        self.says: dict[str, bytes] = {}  # by what is asked; absent: the right answer
        self.url = api.url
        api.behave = self._behave

    def add(self, nickname: str, at: int, **more: Any) -> None:
        vote = {"date": "July 23rd, 2025 02:27 AM EST", "timestamp": at, "nickname": nickname}
        self.votes.insert(0, {**vote, "steamid": "", "claimed": "0", **more})

    def _behave(self, handler: Any) -> None:
        parts = urlsplit(handler.path)
        query = {name: one[0] for name, one in parse_qs(parts.query).items()}
        is_list = query["object"] == "servers"
        kind = "list" if is_list else "claim"
        said = self.says[kind] if kind in self.says else self._answer(query)
        assert (parts.path, query["key"]) == ("/api/", KEY)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said)

    def _answer(self, query: dict[str, str]) -> bytes:
        if query["object"] == "servers":
            self.lists += 1
            return json.dumps({"id": 1, "votes": self.votes}).encode()
        assert (query["action"], query["element"]) == ("post", "claim")
        who = query.get("steamid") or query["username"]
        self.claims.append({name: query[name] for name in ("steamid", "username") if name in query})
        mine = [one for one in self.votes if who in (one["steamid"], one["nickname"])]
        open_ones = [one for one in mine if one["claimed"] == "0"]
        for one in open_ones:
            one["claimed"] = "1"
        return b"1" if open_ones else b"0"


@pytest.fixture
def site(vote_api: VoteApi) -> ListSite:
    return ListSite(vote_api)


@pytest.fixture
def guerdon(site: ListSite, open_service: Any) -> Guerdon:
    guerdon: Guerdon = open_service(REWARDS, SITE.format(name="rust", url=site.url, key=KEY))
    add_player(guerdon, "Ann")
    return guerdon


def poll_and_pay(guerdon: Guerdon, clock: Any, later: float = 200) -> str:
    """Ann's gold after a poll, the payments and the claims."""
    clock.advance(later)
    guerdon.poller.poll_due()
    with guerdon.database.connection_context():
        lease = guerdon.inbox.take_due(100)
        for id_ in lease.ids:
            guerdon.deliveries.retry(id_, lease.token)
    send_reports(guerdon)
    return read_books(guerdon).gold["Ann"]


def test_it_works(guerdon: Guerdon, site: ListSite, clock: Any) -> None:
    now = clock.now // 1000
    site.add("ann", now - 60)
    site.add("Ann", now - 30, steamid="76561198000000001")

    assert poll_and_pay(guerdon, clock) in ("5.00", "10.00")
    with guerdon.database.connection_context():
        assert {row.event_id.split()[1] for row in Event.select()} == {"rust-1"}
    assert {"steamid": "76561198000000001"} in site.claims


def test_a_vote_is_paid_once_however_often_it_is_listed(
    guerdon: Guerdon, site: ListSite, clock: Any
) -> None:
    site.says["claim"] = b"out of order"
    site.add("Ann", clock.now // 1000 - 60)
    for _ in range(4):
        assert poll_and_pay(guerdon, clock) == "5.00"
    assert site.lists == 4

    del site.says["claim"]
    poll_and_pay(guerdon, clock, 3600)
    assert site.claims == [{"username": "Ann"}]
    with guerdon.database.connection_context():
        report = Report.get()
    assert (report.state, report.response) == ("delivered", '{"claimed":true}')


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_votes_that_others_have_claimed_or_that_are_old_are_left_alone(
    guerdon: Guerdon, site: ListSite, clock: Any
) -> None:
    now = clock.now // 1000
    site.add("Ann", now - 60, claimed="1")
    site.add("Ann", now - 70, claimed=1)
    site.add("Ann", now - 2 * DAY)

    assert poll_and_pay(guerdon, clock) == "0.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_days_away_what_was_made_meanwhile_is_paid(
    guerdon: Guerdon, site: ListSite, clock: Any
) -> None:
    poll_and_pay(guerdon, clock)
    site.add("Ann", clock.now // 1000 + 600)

    assert poll_and_pay(guerdon, clock, 5 * DAY) == "5.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "said", [b"", b"0", b"[]", b'{"votes": 7}', b'{"votes": {}}', b"<html>", b'{"error": "no key"}']
)
def test_an_answer_that_is_no_list_moves_nothing(
    guerdon: Guerdon, site: ListSite, clock: Any, said: bytes
) -> None:
    site.says["list"] = said
    site.add("Ann", clock.now // 1000 - 60)
    assert poll_and_pay(guerdon, clock) == "0.00"
    with guerdon.database.connection_context():
        assert Poll.get_by_id("listforge").reason.startswith("rust: ")
        assert KEY not in Poll.get_by_id("listforge").reason

    site.says.clear()
    assert poll_and_pay(guerdon, clock) == "5.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_entries_that_are_no_votes_cost_no_other(
    guerdon: Guerdon, site: ListSite, clock: Any
) -> None:
    now = clock.now // 1000
    for odd in ("", "   ", "a\nb"):
        site.add(odd, now - 10)
    site.votes += [None, 7, {}, {"nickname": "Ann"}, {"nickname": "Ann", "timestamp": 1.5}]
    site.votes += [
        {"nickname": ["Ann"], "timestamp": now},
        {"nickname": "Ann", "timestamp": "soon"},
    ]
    site.add("Ann", now - 60)

    assert poll_and_pay(guerdon, clock) == "5.00"
    with guerdon.database.connection_context():
        assert Waiting.select().count() == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_site_that_fails_keeps_no_other_waiting(
    site: ListSite, open_service: Any, clock: Any
) -> None:
    dead = SITE.format(name="ark", url="http://127.0.0.1:9", key=KEY)
    guerdon = open_service(REWARDS, dead + SITE.format(name="rust", url=site.url, key=KEY))
    add_player(guerdon, "Ann")
    site.add("Ann", clock.now // 1000 - 60)

    assert poll_and_pay(guerdon, clock) == "5.00"
    with guerdon.database.connection_context():
        assert Poll.get_by_id("listforge").reason.startswith("ark: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_claim_that_was_lost_is_sent_again_and_is_none_the_second_time(
    guerdon: Guerdon, site: ListSite, clock: Any
) -> None:
    """The site has it claimed, its answer was lost: 0 is as good."""
    site.add("Ann", clock.now // 1000 - 60)
    site.says["claim"] = b"<html>busy</html>"
    poll_and_pay(guerdon, clock)
    site.votes[0]["claimed"] = "1"
    site.says["claim"] = b"0"
    poll_and_pay(guerdon, clock, 3600)

    with guerdon.database.connection_context():
        assert (Report.get().state, Report.get().response) == ("delivered", '{"claimed":false}')
