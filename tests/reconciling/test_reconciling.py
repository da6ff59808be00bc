"""A site's list beside the ledger: what never came is found, and paid once; what is not known is said so."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.database.models import Event, Waiting
from app.database.reconciliation_models import Reconciliation
from app.guerdon import Guerdon
from app.reconciling.reconciler import HEAL, RECONCILE
from app.testing.books import Books
from app.testing.clock import Clock
from app.testing.deliveries import make_client, make_delivery
from app.testing.vote_api import VoteApi, answer
from tests.world.vote_list import VoteSite

HOUR = 3_600_000  # ms
Read = Callable[[], Books]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def site(vote_api: VoteApi, guerdon: Guerdon, deliver: Any, clock: Clock) -> VoteSite:
    """It has an old vote, which is paid, so the ledger has begun; two hours have passed since."""
    site = VoteSite(vote_api)
    site.add("old", clock.now - 1000)
    assert deliver("old").status_code == 204
    clock.advance(7200)
    return site


def serve(guerdon: Guerdon) -> None:
    """Try what is due, once."""
    with ThreadPoolExecutor(16) as pool:
        while guerdon.dispatcher.serve_once(pool):
            pass


def reconcile(guerdon: Guerdon, heal: bool = False, since: int | None = None) -> Reconciliation:
    return guerdon.reconciler.reconcile("gamemonitoring", since, heal, "a test").row


def count(row: Reconciliation) -> dict[str, int]:
    names = ("listed", "waiting", "missing", "healed", "differs", "unknown")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def test_it_works(
    guerdon: Guerdon, site: VoteSite, deliver: Any, clock: Clock, books: Read, ask_v1: Any
) -> None:
    """A report first, and nothing is changed; then what is missing is fetched by its id, and paid."""
    site.add("came", clock.now - HOUR)
    site.add("lost", clock.now - HOUR)
    deliver("came")

    reported = reconcile(guerdon)
    assert (reported.state, count(reported)) == ("done", {"listed": 2, "missing": 1})
    serve(guerdon)
    assert books().events == ["came", "old"]

    healed = reconcile(guerdon, heal=True)
    assert count(healed) == {"listed": 2, "missing": 1, "healed": 1}
    assert books().waiting == {"lost": ""}
    serve(guerdon)
    assert (books().events, books().gold["Bob"]) == (["came", "lost", "old"], "300.00")
    event = ask_v1("/events/server.vote/lost")
    assert event["token"] == "reconciled"
    assert "its delivery had not come" in event["timeline"][0]["detail"]

    again = reconcile(guerdon, heal=True)
    assert (again.state, count(again)) == ("done", {"listed": 2})
    assert deliver("lost").status_code == 204  # it comes after all
    assert books().gold["Bob"] == "300.00"


def test_what_waits_or_is_dead_is_not_missing(
    guerdon: Guerdon, site: VoteSite, deliver: Any, clock: Clock, vote_api: VoteApi
) -> None:
    site.add("waits", clock.now - HOUR)
    site.add("dead", clock.now - HOUR)
    for id in ("waits", "dead"):
        vote = vote_api.votes.pop(id)
        assert deliver(id).status_code == 503
        vote_api.votes[id] = vote
    with guerdon.database.connection_context():
        Waiting.update(state="dead").where(Waiting.event_id == "dead").execute()

    assert count(reconcile(guerdon, heal=True)) == {"listed": 2, "waiting": 2}


def test_a_vote_that_was_just_made_may_be_on_its_way(
    guerdon: Guerdon, site: VoteSite, clock: Clock
) -> None:
    site.add("flying", clock.now - 60_000)

    assert count(reconcile(guerdon)) == {"listed": 1}
    clock.advance(600)
    assert count(reconcile(guerdon)) == {"listed": 1, "missing": 1}


def test_other_facts_and_what_the_list_has_not_are_shown_and_change_nothing(
    guerdon: Guerdon, site: VoteSite, deliver: Any, clock: Clock, books: Read
) -> None:
    for number in range(6):
        site.add(f"v{number}", clock.now - HOUR + number * 1000)
        deliver(f"v{number}")
    site.listed[1]["server"] = {"id": 1, "name": "One"}  # says the same
    site.listed[2]["created_at"] -= 60
    site.listed[2]["nickname"] = "Renamed"
    del site.listed[3]  # between others: the list would have it
    del site.listed[0]  # the newest: it may not be listed yet
    before = books()

    row = reconcile(guerdon, heal=True)

    assert count(row) == {"listed": 4, "differs": 1, "unknown": 1}
    assert '"id": "v2"' in row.found
    assert "Bob" not in row.found
    assert books() == before


def test_what_is_kept_of_a_vote_may_be_stripped_and_its_name_erased(
    guerdon: Guerdon, site: VoteSite, deliver: Any, clock: Clock
) -> None:
    """Its key stays, so it is not missing."""
    site.add("erased", clock.now - HOUR)
    deliver("erased")
    with guerdon.database.connection_context():
        Event.update(nickname="erased-1", user_id="", data="{}").execute()
        Waiting.delete().execute()

    assert count(reconcile(guerdon, heal=True)) == {"listed": 1}


@on_sqlite
def test_what_an_erased_player_did_before_is_not_missing(
    guerdon: Guerdon, site: VoteSite, clock: Clock, books: Read
) -> None:
    """It is answered as known and gets no row, so it would be missing for ever; what comes later is new."""
    site.add("lost", clock.now - HOUR)
    eraser = guerdon.make_eraser()
    eraser.run(eraser.plan("Bob"), "a test", cancels=True)
    guerdon.erased.forget()

    assert reconcile(guerdon, heal=True).missing == 0

    site.add("later", clock.now + HOUR)
    clock.advance(7200)
    assert count(reconcile(guerdon, heal=True)) == {"listed": 2, "missing": 1, "healed": 1}
    assert books().waiting == {"later": ""}


def fail_with(status: int, body: Any) -> Callable[[Any, int], bool]:
    def fail(handler: Any, page: int) -> bool:
        if page > 1:
            answer(handler, status, body)
        return page > 1

    return fail


def hang_up(handler: Any, page: int) -> bool:
    """In the middle of the second page."""
    if page > 1:
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'{"response": {"items": [{"id": "cut"')
        handler.close_connection = True
    return page > 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "fail",
    [
        hang_up,
        fail_with(500, {"error": "ill"}),
        fail_with(200, b"<!doctype html><title>Just a moment</title>"),
        fail_with(200, {"response": []}),
        fail_with(200, {"response": {"items": {"id": "v"}}}),
        fail_with(200, {"response": None}),
        fail_with(200, b'{"response": {"items": [' + b"[" * 100_000),
    ],
)  # fmt: skip
def test_a_list_that_is_cut_short_does_not_say_that_nothing_is_missing(
    fail: Callable[[Any, int], bool], guerdon: Guerdon, site: VoteSite, clock: Clock, deliver: Any
) -> None:
    """And what was listed until then, and is missing, is missing all the same."""
    for number in range(12):
        site.add(f"v{number}", clock.now - HOUR + number * 1000)
        if number != 11:
            deliver(f"v{number}")
    del site.listed[5]
    site.fail = fail

    row = reconcile(guerdon, heal=True)

    assert row.state == "not known"
    assert 'the list of server "1": ' in row.reason
    assert count(row) == {"listed": 10, "missing": 1, "healed": 1}  # and nothing unknown there


@on_sqlite
def test_an_empty_list_and_one_without_end_and_one_without_pages(
    guerdon: Guerdon, site: VoteSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_forever(handler: Any, page: int) -> bool:
        made_at = clock.now // 1000 - 1800
        items = [{"id": f"v{page}-{n}", "nickname": "Bob", "created_at": made_at} for n in range(3)]
        answer(handler, 200, {"response": {"items": items}})
        return True

    listed, site.listed = site.listed, []
    empty = reconcile(guerdon)
    site.listed, site.page_size = listed[:0], None
    site.add("recent", clock.now - HOUR)
    without_pages = reconcile(guerdon)
    site.add("later", clock.now - HOUR + 1000)
    site.listed.extend(listed)  # it goes far enough back
    whole = reconcile(guerdon)
    monkeypatch.setattr("app.porch.lists.PAGES", 20)
    site.fail = answer_forever
    endless = reconcile(guerdon)

    assert (empty.state, empty.reason) == ("not known", 'the list of server "1": it is empty')
    assert "does not say whether there is more" in without_pages.reason
    assert count(without_pages) == {"listed": 1, "missing": 1}
    assert (whole.state, count(whole)) == ("done", {"listed": 2, "missing": 2})
    assert "more than 20 pages" in endless.reason
    assert endless.listed == 57  # the first was asked for without a number, and as 1


@on_sqlite
@pytest.mark.parametrize(
    "id", ["../v1", "v1\x1b[31m", "v\u202e1", "", "x" * 129, None, 1.5, ["v1"], {"a": 1}, True, "\ud800"]
)  # fmt: skip
def test_an_entry_of_hostile_text_is_passed_over_and_the_others_are_compared(
    id: Any, guerdon: Guerdon, site: VoteSite, clock: Clock, books: Read
) -> None:
    site.add("good", clock.now - HOUR, nickname="\x1b[31m\u202eBob\0", server={"id": 1})
    site.add(id, clock.now - HOUR)

    row = reconcile(guerdon, heal=True)

    assert (row.state, count(row)) == ("not known", {"listed": 1, "missing": 1, "healed": 1})
    serve(guerdon)
    assert books().events == ["good", "old"]  # its name is what the vote API says


@on_sqlite
def test_duplicates_and_pages_that_move_on_are_one_vote_each(
    guerdon: Guerdon, site: VoteSite, clock: Clock, books: Read
) -> None:
    """While the list is read, votes are made: each page begins with the end of the one before."""

    def add_one(handler: Any, page: int) -> bool:
        site.add(f"new{len(site.asked)}", clock.now)
        return False

    for number in range(25):
        site.add(f"v{number}", clock.now - HOUR + number * 1000)
    site.listed.insert(0, site.listed[0])
    site.fail = add_one

    assert count(reconcile(guerdon, heal=True))["healed"] == 25
    serve(guerdon)
    serve(guerdon)
    assert books().gold["Bob"] == "2600.00"


@on_sqlite
def test_what_was_voted_before_the_ledger_began_is_another_s_unless_one_says_so(
    guerdon: Guerdon, site: VoteSite, clock: Clock
) -> None:
    site.add("paid by the old handler", clock.now - 30 * HOUR)
    site.listed[0]["id"] = "before"
    site.listed.reverse()

    assert count(reconcile(guerdon)) == {}
    assert count(reconcile(guerdon, since=clock.now - 40 * HOUR)) == {"listed": 2, "missing": 1}


@on_sqlite
def test_where_nothing_has_come_yet_one_says_since_when(
    guerdon: Guerdon, vote_api: VoteApi, clock: Clock
) -> None:
    site = VoteSite(vote_api)
    site.add("lost", clock.now - HOUR)

    row = reconcile(guerdon, heal=True)

    assert (row.state, count(row)) == ("not known", {})
    assert row.reason == "nothing of gamemonitoring is here yet: say since when to compare"


def test_a_vote_that_is_delivered_while_it_is_reconciled_is_paid_once(
    guerdon: Guerdon, site: VoteSite, clock: Clock, books: Read
) -> None:
    """Forty votes, each delivered twice, healed by two, and tried, all at the same time."""
    ids = [f"v{number}" for number in range(40)]
    for id in ids:
        site.add(id, clock.now - HOUR)
    client = make_client(guerdon)
    start = threading.Barrier(5)

    def deliver_all() -> None:
        start.wait()
        for id in ids:
            client.application.test_client().post(
                "/webhooks/gamemonitoring", data=make_delivery(id)
            )

    def heal() -> None:
        start.wait()
        for _ in range(3):
            reconcile(guerdon, heal=True)

    def try_all() -> None:
        start.wait()
        for _ in range(20):
            serve(guerdon)

    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(job) for job in (deliver_all, deliver_all, heal, heal, try_all)]
    for job in jobs:
        job.result()
    serve(guerdon)
    serve(guerdon)

    assert books().events == sorted(["old", *ids])
    assert (books().grants, books().gold["Bob"], books().waiting) == (41, "4100.00", {})
    assert count(reconcile(guerdon)) == {"listed": 40}


@on_sqlite
def test_a_vote_without_a_time_is_shown_and_never_healed(
    guerdon: Guerdon, site: VoteSite, clock: Clock, books: Read, vote_api: VoteApi
) -> None:
    """It may be of before the ledger began, and whoever paid then has paid it."""
    site.add("untimed", clock.now - 1000 * HOUR, created_at=None)

    row = reconcile(guerdon, heal=True)
    serve(guerdon)

    assert count(row) == {"listed": 1, "missing": 1}
    assert books().events == ["old"]


@on_sqlite
def test_what_a_person_compares_is_kept_as_an_act_and_a_turn_is_not(
    guerdon: Guerdon, site: VoteSite, clock: Clock
) -> None:
    site.add("lost", clock.now - HOUR)

    reconcile(guerdon)
    reconcile(guerdon, heal=True)
    guerdon.reconciler.reconcile("gamemonitoring")

    acts = guerdon.acts.list_acts().rows
    assert [(one.what, one.person, one.about, one.number, one.done) for one in acts] == [
        (HEAL, "a test", "gamemonitoring", 1, 1),
        (RECONCILE, "a test", "gamemonitoring", 1, 0),
    ]
    assert all(one.is_over and not one.error for one in acts)
