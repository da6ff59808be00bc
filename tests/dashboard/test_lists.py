"""Lists of events and reports: by a filter, page by page, and honest about where a search ended."""

import re
from html import unescape
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.history.pages import LOOK_THROUGH
from tests.dashboard.screens import write_address
from tests.dashboard.test_access import sign_in
from tests.world.piles import pile_events, pile_reports, pile_settled
from tests.world.running_dashboards import USERS

pytestmark = pytest.mark.guerdon(more=USERS)
# Who asks is known without the database.
WITHOUT_DATABASE = """
[dashboard]
session_key = "a key for these tests alone, and long"
proxies = ["127.0.0.1"]
user_header = "Remote-User"
header_users = [{ name = "anna", role = "act" }]
"""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def list_events(page: str) -> list[str]:
    """The ids of the events of a list."""
    links = re.findall(r'<td class="wide"><a href="/event\?[^"]*">(.*?)</a>', page)
    return [unescape(re.sub("<.*?>", "", one)) for one in links]


def find_link(page: str, words: str) -> str:
    """Where the link of these words leads; "" where there is none."""
    found = re.search(rf'<a href="([^"]+)"[^>]*>{words}</a>', page)
    return unescape(found[1]) if found else ""


def read_all(client: Any, address: str) -> list[str]:
    """The events of a list and of all its older pages."""
    events = []
    while address:
        page = client.get(address).text
        events += list_events(page)
        address = find_link(page, "Older")
    return events


def test_it_works(client: Any, guerdon: Guerdon) -> None:
    """Each row on one page and no other, whatever comes while somebody turns them."""
    sign_in(client)
    pile_events(guerdon, 60, last_error="nobody is called {n}")
    pile_events(guerdon, 30, "other", last_error="the table is locked")
    pile_events(guerdon, 4, "w", state="ready")
    pile_settled(guerdon, 70)
    first = client.get("/events").text
    assert (len(list_events(first)), find_link(first, "Newest")) == (50, "")

    pile_events(guerdon, 9, "late")
    second = client.get(find_link(first, "Older")).text

    both = list_events(first) + list_events(second)
    assert len(set(both)) == 94 + 6
    assert not [one for one in both if one.startswith("late")]
    assert list_events(client.get(find_link(second, "Newest")).text)[:9] == [
        f"late{n}" for n in reversed(range(9))
    ]
    everything = read_all(client, "/events")
    assert len(everything) == len(set(everything)) == 173


def test_a_filter_is_a_form_that_stays_filled_in(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    pile_events(guerdon, 3, received_at=1_000)
    pile_events(guerdon, 2, "b", type="level_up", received_at=90_000_000)
    pile_events(guerdon, 1, "c", source="<b>x</b>")
    pile_settled(guerdon, 4)
    pile_settled(guerdon, 2, "two", server_id="2")
    wanted = {
        "state=dead": 6, "state=waiting": 0, "state=settled": 6, "type=level_up": 2,
        "source=%3Cb%3Ex%3C/b%3E": 1, "server=2": 2, "player=Bob": 0, "since=1970-01-02+01:00": 2,
        "until=+1970-01-02+": 10, "state=dead&type=level_up&source=&server=&since=&until=": 2,
    }  # fmt: skip

    assert {said: len(read_all(client, f"/events?{said}")) for said in wanted} == wanted
    page = client.get("/events?state=dead&source=%3Cb%3Ex%3C/b%3E&since=1969-01-01").text
    assert '<option value="dead" selected>dead</option>' in page
    assert 'value="&lt;b&gt;x&lt;/b&gt;"' in page
    assert 'value="1969-01-01"' in page


@on_sqlite
@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/events?state=gone", "state", "is none: waiting, settled, dead"),
        ("/events?since=yesterday", "since", "is no time: 2026-01-31"),
        ("/events?since=2026-02-01&until=2026-01-01", "until", "it must be later than since"),
        ("/events?player=Nobody", "player", "no player is called"),
        ("/events?state=dead&player=Bob", "", "leave them out, or state and cause"),
        ("/events?type=" + "t" * 256, "type", "at most 255 characters"),
        ("/events?before=open:x", "", "is no place in this list"),
        ("/reports?state=settled", "state", "is none: waiting, ready, leased, delivered, dead"),
        ("/reports?before=1e9", "", "is no place in this list"),
    ],
)
def test_a_bad_filter_says_which_field_and_what_to_do(
    client: Any, guerdon: Guerdon, path: str, field: str, words: str
) -> None:
    sign_in(client)
    pile_events(guerdon, 1)

    page = client.get(path).text

    assert words in page
    assert re.findall(r'name="(\w+)"[^>]*aria-invalid="true"', page) == ([field] if field else [])
    assert not list_events(page)
    assert 'name="limit"' not in page  # nothing is tried again by what is no filter


@on_sqlite
def test_a_search_that_is_cut_says_so_and_goes_on(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    pile_settled(guerdon, 1, "old", server_id="lost")
    pile_settled(guerdon, LOOK_THROUGH)

    page = client.get("/events?server=lost").text

    assert list_events(page) == []
    assert "The search ended here" in page
    assert "There is no such event" not in page
    rest = client.get(find_link(page, "Look on from here")).text
    assert list_events(rest) == ["old0"]
    assert "The search ended here" not in rest


@on_sqlite
@pytest.mark.guerdon(more=WITHOUT_DATABASE)
@pytest.mark.parametrize("path", ["/events?state=dead", "/reports"])
def test_a_search_that_took_too_long_says_so_and_keeps_its_form(
    client: Any, guerdon: Guerdon, path: str
) -> None:
    anna = {"Remote-User": "anna"}

    with guerdon.database.limit_time(0):
        answer = client.get(path, headers=anna)

    assert answer.status_code == 503
    assert "This took too long" in answer.text
    assert "There is no such" not in answer.text
    assert '<select name="state"' in answer.text
    assert client.get(path, headers=anna).status_code == 200


def test_reports_are_found_by_their_cause(client: Any, guerdon: Guerdon) -> None:
    """From the first page; a number that differs is of no other cause, another reporter is."""
    sign_in(client)
    pile_reports(guerdon, 60, last_error="answered 500 after {n} ms")
    pile_reports(guerdon, 5, "b", last_error="answered 404")
    pile_reports(guerdon, 2, "c", reporter="another", last_error="answered 500 after 3 ms")
    home = client.get("/").text

    address = find_link(home, "<bdi>answered 500 after … ms</bdi>")
    first = client.get(address).text
    second = client.get(find_link(first, "Older")).text

    rows = [re.findall(r'<td><a href="/report\?id=(\d+)">', page) for page in (first, second)]
    assert [len(some) for some in rows] == [50, 10]
    assert "studio" in first
    assert "another" not in first + second


@on_sqlite
@pytest.mark.parametrize(
    ("path", "is_offered"),
    [
        ("/events", False), ("/events?state=settled", False), ("/events?state=dead", True),
        ("/events?state=waiting&type=server.vote", True), ("/events?cause=0123456789ab", True),
        ("/events?server=1", False),
        ("/reports", False), ("/reports?state=dead", True), ("/reports?state=delivered", False),
        ("/reports?state=leased", False),
    ],
)  # fmt: skip
def test_a_retry_of_all_is_offered_where_all_wait_or_are_dead(
    client: Any, path: str, is_offered: bool
) -> None:
    """And to nobody who may only look."""
    sign_in(client)
    assert ('action="/acts/plan"' in client.get(path).text) is is_offered
    sign_in(client, "luke")
    assert 'action="/acts/plan"' not in client.get(path).text


@on_sqlite
def test_an_address_of_many_characters_is_a_page(client: Any) -> None:
    sign_in(client)
    odd = "\u202e\"'><b>\x01%"

    for name in ("type", "source", "cause"):
        assert "<b>" not in client.get(write_address("/events", **{name: odd})).text
