"""The oracle sees each single wrong row: every test here but the first breaks one of the books."""

from collections.abc import Callable

import pytest

from app import create_app
from app.guerdon import Guerdon
from app.testing.deliveries import post_vote
from app.testing.platforms import Platform
from app.testing.vote_api import VoteApi, answer, answer_vote
from app.testing.waiting import wait_until
from tests.model.oracle import ask, is_over, judge
from tests.world.crowd import KEY, Key, make_level_up

PARKED = "v-9-p0"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REPORTERS = {"level_up": ["g123"]}
EVENT = "ordered_key, source, type, event_id, server_id, nickname, user_id, token, settled_at, data"
GRANT = "event, rule, plugin, kind, params, player_id, nickname, server_id, user_id, receipt, granted_at"


@pytest.fixture
def books(open_crowded: Callable[..., Guerdon], vote_api: VoteApi) -> Guerdon:
    """Three votes and two level_ups are paid, both are reported, and one vote waits."""
    vote_api.behave = answer_vote
    guerdon = open_crowded("60")
    client = create_app(guerdon).test_client()
    for id in ("v-0-p0", "v-1-p1", "v-2-p0"):
        assert post_vote(guerdon, id).status_code == 204
    for level in (1, 2):
        body = make_level_up("p0", level)
        assert client.post("/v1/events/level_up", json=body, headers=KEY).status_code == 200
    vote_api.behave = lambda handler: answer(handler, 500, {})
    assert post_vote(guerdon, PARKED).status_code == 503
    return guerdon


def list_accepted() -> set[Key]:
    votes = {("server.vote", id) for id in ("v-0-p0", "v-1-p1", "v-2-p0")}
    return votes | {("level_up", "p0:s1:1"), ("level_up", "p0:s1:2")}


def judge_books(books: Guerdon, platform: Platform, more: set[Key] | None = None) -> None:
    judge(
        books,
        accepted=list_accepted() | (more or set()),
        sent=list_accepted() | {("server.vote", PARKED)} | (more or set()),
        reporters=REPORTERS,
        requests=platform.requests,
    )


def test_it_works(books: Guerdon, platform: Platform) -> None:
    judge_books(books, platform)

    assert not is_over(books)
    assert len(platform.requests) == 2


WRONGS = {
    "a balance is too high": "UPDATE players SET gold = gold + 1 WHERE nickname = 'p0'",
    "somebody else was paid": "UPDATE players SET gold = 1 WHERE nickname = 'Bob'",
    "an item too many": "UPDATE guerdon_items SET quantity = quantity + 1",
    "an item lost": "DELETE FROM guerdon_items",
    "a claim lost": "DELETE FROM guerdon_claims WHERE id = 1",
    "a claim of somebody else": "UPDATE guerdon_claims SET nickname = 'Bob'",
    "a grant lost": "DELETE FROM guerdon_grants WHERE id = 1",
    "a grant without its event": "UPDATE guerdon_grants SET event = 99 WHERE id = 1",
    "a grant twice": f"INSERT INTO guerdon_grants ({GRANT}) SELECT {GRANT} FROM guerdon_grants"
    " WHERE id = 1",
    "a grant of another amount": "UPDATE guerdon_grants SET params = REPLACE(params, '100', '200')",
    "an event lost": "DELETE FROM guerdon_events WHERE event_id = 'v-1-p1'",
    "an event twice": f"INSERT INTO guerdon_events ({EVENT}) SELECT"
    f" 'x', {EVENT.partition(', ')[2]} FROM guerdon_events WHERE event_id = 'v-1-p1'",
    "an event that nobody sent": "UPDATE guerdon_events SET event_id = 'v-7-p1'"
    " WHERE event_id = 'v-1-p1'",
    "a waiting event that ends unpaid": "UPDATE guerdon_inbox SET state = 'settled'",
    "a waiting event that is never due": "UPDATE guerdon_inbox SET due_at = 0",
    "a waiting event leased for ever": "UPDATE guerdon_inbox SET state = 'leased',"
    " lease_until = 9000000000000",
    "a waiting event dead for no reason": "UPDATE guerdon_inbox SET state = 'dead',"
    " last_error = ''",
    "a report lost": "DELETE FROM guerdon_reports WHERE id = 1",
    "a report without its event": "UPDATE guerdon_reports SET event = 99 WHERE id = 1",
    "a report delivered without a reply": "UPDATE guerdon_reports SET response = NULL",
    "a report that is never due": "UPDATE guerdon_reports SET state = 'ready', due_at = 0",
    "a report leased for ever": "UPDATE guerdon_reports SET state = 'leased',"
    " lease_until = 9000000000000",
    "a report dead for no reason": "UPDATE guerdon_reports SET state = 'dead'",
    "a report of other bytes": "UPDATE guerdon_reports SET body = 'x' WHERE id = 1",
    "a send that is not noted": "DELETE FROM guerdon_sends WHERE id = 1",
    "a send that is not counted": "UPDATE guerdon_reports SET sends = 0 WHERE id = 1",
    "a delivery that no send made": "UPDATE guerdon_sends SET error = 'no' WHERE id = 1",
}


@on_sqlite
@pytest.mark.parametrize("wrong", WRONGS)
def test_it_objects_to(wrong: str, books: Guerdon, platform: Platform) -> None:
    with books.database.connection_context():
        assert books.database.execute_sql(WRONGS[wrong]).rowcount

    with pytest.raises(AssertionError):
        judge_books(books, platform)


@on_sqlite
def test_it_objects_to_a_vote_that_was_answered_and_not_paid(
    books: Guerdon, platform: Platform
) -> None:
    with pytest.raises(AssertionError):
        judge_books(books, platform, {("server.vote", "v-8-p0")})
    with pytest.raises(AssertionError):
        judge_books(books, platform, {("server.vote", PARKED)})  # a 204 that only waits


@on_sqlite
def test_it_objects_to_a_report_that_came_more_often_than_it_was_noted(
    books: Guerdon, platform: Platform
) -> None:
    platform.requests.append(platform.requests[0])

    with pytest.raises(AssertionError):
        judge_books(books, platform)


def test_it_knows_when_all_is_over(books: Guerdon, vote_api: VoteApi) -> None:
    vote_api.behave = answer_vote

    assert post_vote(books, PARKED).status_code == 204

    wait_until(lambda: is_over(books))
    assert ask(books, "SELECT COUNT(*) FROM guerdon_events") == [(6,)]
