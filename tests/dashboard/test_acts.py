"""Acts on many: planned, confirmed, followed, stopped, by who may; and what is kept of them."""

import re
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.history.acts import ActRecord, note_act
from app.history.filters import EventFilter
from app.history.states import ActState, EventState
from app.testing.clock import Clock
from app.upkeep.planning import LASTS
from tests.dashboard.test_access import count_dead, send, sign_in
from tests.dashboard.test_lists import find_link
from tests.world.piles import pile_events, pile_reports
from tests.world.running_dashboards import USERS

pytestmark = pytest.mark.guerdon(more=USERS)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DEAD = {"box": "events", "filter": "state:dead"}
ANNA, REASON = "anna", "the table <b>was</b> locked"


def plan(client: Any, **fields: str) -> str:
    """Have it counted; the address of the page that asks."""
    answer = send(client, "/", "/acts/plan", DEAD | fields)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def read_id(address: str) -> str:
    found = re.search(r"id=(\d+)", address)
    assert found
    return found[1]


def find_act(guerdon: Guerdon, address: str) -> ActRecord:
    found = guerdon.acts.find(int(read_id(address)))
    assert found is not None
    return found


def test_it_works(client: Any, guerdon: Guerdon) -> None:
    """Counted, asked, begun, followed, over; those that died in between are left as they are."""
    sign_in(client)
    pile_events(guerdon, 450, last_error='no player is called "{n}"')
    address = plan(client, reason=REASON)
    page = client.get(address).text
    assert "Try 450 events again?" in page
    assert "no player is called …" in page
    assert "the table &lt;b&gt;was&lt;/b&gt; locked" in page
    assert "<dt>Up to row</dt><dd>450</dd>" in page
    pile_events(guerdon, 7, "late")
    assert find_act(guerdon, address).state == ActState.PLANNED

    answer = send(client, address, "/act/start", {"id": read_id(address)})

    assert (answer.status_code, answer.location) == (303, address)
    assert "begins soon" in client.get(address).text
    assert guerdon.acts.runner.run_turn() > 0
    while guerdon.acts.runner.run_turn():
        pass
    assert "450 events are tried again at once." in client.get(address).text
    assert count_dead(guerdon) == 7
    act = find_act(guerdon, address)
    assert (act.person, act.reason, act.done, act.state) == (ANNA, REASON, 450, ActState.DONE)
    acts = client.get("/acts").text
    assert "450 of 450" in acts
    assert find_link(acts, "<bdi>state:dead</bdi>") == "/events?state=dead"


def test_what_is_counted_is_what_the_first_page_said(client: Any, guerdon: Guerdon) -> None:
    """By the form that stands beside a cause: waiting ones too, and no others."""
    sign_in(client)
    pile_reports(guerdon, 30, last_error="answered 500 after {n} ms")
    pile_reports(guerdon, 5, "b", last_error="answered 500 after {n} ms", state="ready")
    pile_reports(guerdon, 4, "c", last_error="answered 404")
    home = client.get("/").text
    assert ("30 dead" in home, "5 waiting" in home, "4 dead" in home) == (True, True, True)
    forms = re.findall(r'name="filter" value="(reporter:studio cause:\w+)"', home)
    assert len(forms) == 2

    address = plan(client, box="reports", filter=forms[0])

    assert "Send 35 reports again?" in client.get(address).text


def test_an_act_is_stopped_where_it_is(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    pile_events(guerdon, 450)
    address = plan(client)
    send(client, address, "/act/start", {"id": read_id(address)})

    answer = send(client, address, "/act/stop", {"id": read_id(address)})

    assert "It is stopped" in client.get(answer.location).text
    assert guerdon.acts.runner.run_turn() == 0
    assert count_dead(guerdon) == 450
    acts = client.get("/acts").text
    assert "stop of an act" in acts
    again = send(client, address, "/act/stop", {"id": read_id(address)})
    assert again.status_code == 303  # it is as it was wanted
    assert "Yes, try them again" not in client.get(address).text


@on_sqlite
def test_who_may_only_look_sees_acts_and_has_nothing_done(client: Any, guerdon: Guerdon) -> None:
    """Refused where it acts, whatever page he came from."""
    pile_events(guerdon, 3)
    sign_in(client)
    address = plan(client)
    begun = plan(client)
    send(client, begun, "/act/start", {"id": read_id(begun)})
    sign_in(client, "luke")

    assert "Retry these" not in client.get("/").text
    for page in (address, begun, "/acts"):
        answer = client.get(page)
        assert answer.status_code == 200
        assert re.findall(r'<form method="post" action="(/acts?[^"]*)"', answer.text) == []
    for path, fields in (
        ("/acts/plan", DEAD),
        ("/act/start", {"id": read_id(address)}),
        ("/act/stop", {"id": read_id(begun)}),
    ):
        assert send(client, "/", path, fields).status_code == 403

    assert find_act(guerdon, address).state == ActState.PLANNED
    assert find_act(guerdon, begun).state == ActState.WAITING
    assert guerdon.acts.find(int(read_id(begun)) + 1) is None


@on_sqlite
def test_a_plan_is_begun_by_whoever_made_it_and_once(client: Any, guerdon: Guerdon) -> None:
    """Else it would be kept under a name that did not say yes."""
    pile_events(guerdon, 3)
    others = guerdon.acts.plan_act(EventFilter(EventState.DEAD), "boris").id
    sign_in(client)
    page = client.get(f"/act?id={others}")
    assert "boris</bdi> has made this plan" in page.text
    assert "Yes, try them again" not in page.text
    assert send(client, "/", "/act/start", {"id": str(others)}).status_code == 409

    address = plan(client)
    for _ in range(2):
        assert send(client, "/", "/act/start", {"id": read_id(address)}).status_code == 303

    assert guerdon.acts.runner.run_turn() == 3
    assert guerdon.acts.runner.run_turn() == 0
    assert [one.person for one in guerdon.acts.list_acts().rows] == [ANNA]


@on_sqlite
def test_a_plan_that_is_old_or_empty_is_not_begun(
    client: Any, guerdon: Guerdon, clock: Clock
) -> None:
    sign_in(client)
    empty = plan(client)
    assert "there is nothing to do" in client.get(empty).text
    assert send(client, "/", "/act/start", {"id": read_id(empty)}).status_code == 409
    pile_events(guerdon, 1)
    old = plan(client)
    assert "Yes, try them again" in client.get(old).text

    clock.advance(LASTS / 1000 + 1)

    assert "more than an hour ago" in client.get(old).text
    assert send(client, "/", "/act/start", {"id": read_id(old)}).status_code == 409
    assert count_dead(guerdon) == 1


@on_sqlite
def test_at_most_so_many(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    pile_events(guerdon, 5)

    page = client.get(plan(client, limit=" 2 ")).text

    assert "Try 2 events again?" in page
    assert "there may be more" in page
    whole = client.get(plan(client, limit="6")).text
    assert ("Try 5 events again?" in whole, "there may be more" in whole) == (True, False)
    for limit in ("0", "-1", "2.5", "x", "200001", "9" * 30, "\u0663"):
        answer = send(client, "/", "/acts/plan", DEAD | {"limit": limit})
        assert (answer.status_code, "At most: write a whole number" in answer.text) == (409, True)


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"box": "claims"}, 404, ""),
        ({"filter": "state:gone"}, 409, "is none"),
        ({"filter": "<b>"}, 409, "is no condition"),
        ({"filter": "state:settled"}, 409, "only what waits or is dead is tried again"),
        ({"filter": "server:1"}, 409, "only what waits or is dead is tried again"),
        ({"reason": "x" * 501}, 409, "more than 500 characters"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_words(
    client: Any, guerdon: Guerdon, fields: dict[str, str], status: int, words: str
) -> None:
    sign_in(client)

    answer = send(client, "/", "/acts/plan", DEAD | fields)

    assert answer.status_code == status
    assert words in answer.text
    assert guerdon.acts.find(1) is None


@on_sqlite
def test_acts_are_listed_a_page_at_a_time(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    for number in range(60):
        note_act(guerdon.database, "<i>cli</i>", "repay", f"rule {number}", 3, guerdon.now())

    first = client.get("/acts").text
    second = client.get(find_link(first, "Older")).text

    ids = re.findall(r'href="/act\?id=(\d+)"', first + second)
    assert ids == [str(number) for number in range(60, 0, -1)]
    assert "<i>" not in first
    assert "repayment" in first
    for wrong in ("/act", "/act?id=99", "/act?id=x", "/acts?before=x"):
        assert client.get(wrong).status_code == 404
