"""Events and reports by a filter, page by page; trouble by its cause."""

from collections.abc import Callable
from typing import Any

import pytest

from app.counting.player_index import add_player_index
from app.database.models import Grant
from app.guerdon import Guerdon
from app.history.causes import list_causes
from app.history.filters import (
    EventFilter,
    ReportFilter,
    parse_event_filter,
    parse_report_filter,
)
from app.history.qualifiers import BadFilter
from tests.world.books import make_work, settle
from tests.world.piles import pile_events, pile_reports, pile_settled


def turn_pages(list_page: Callable[..., Any], chosen: Any, limit: int, **more: Any) -> list[Any]:
    """All rows, page by page, none of which is longer than it may be."""
    rows, before = [], None
    while True:
        page = list_page(chosen, before, limit, **more)
        assert len(page.rows) <= limit
        assert page.next is None or page.is_cut or len(page.rows) == limit
        rows += page.rows
        if page.next is None:
            return rows
        before = page.next


def list_ids(guerdon: Guerdon, text: str, limit: int = 3, **more: Any) -> list[str]:
    chosen = parse_event_filter(text)
    return [one.id for one in turn_pages(guerdon.lists.list_events, chosen, limit, **more)]


def test_it_works(guerdon: Guerdon) -> None:
    pile_settled(guerdon, 5)
    pile_events(guerdon, 2)
    pile_events(guerdon, 2, "w", state="ready")
    pile_events(guerdon, 1, "l", state="leased")
    pile_events(guerdon, 3, "o", state="settled")

    everything = list_ids(guerdon, "")

    assert everything == ["l0", "w1", "w0", "d1", "d0", "s4", "s3", "s2", "s1", "s0"]
    assert list_ids(guerdon, "state:waiting") == ["l0", "w1", "w0"]
    assert list_ids(guerdon, "state:dead", limit=1) == ["d1", "d0"]
    assert list_ids(guerdon, "state:settled", limit=5) == ["s4", "s3", "s2", "s1", "s0"]
    [dead, *_] = guerdon.lists.list_events(parse_event_filter("state:dead")).rows
    assert (dead.state, dead.last_error, dead.next_try_at) == ("dead", "nobody", None)


def test_each_condition_narrows_the_list(guerdon: Guerdon) -> None:
    pile_settled(guerdon, 4)
    pile_settled(guerdon, 2, "other", server_id="2", type="level_up", source="", settled_at=9_000)
    pile_events(guerdon, 2, "late", received_at=9_500, last_error="vote {n}")
    pile_events(guerdon, 1, "odd", type="level_up", source="game")

    assert list_ids(guerdon, "server:2") == ["other1", "other0"]
    assert list_ids(guerdon, "type:level_up") == ["odd0", "other1", "other0"]
    assert list_ids(guerdon, "source:game") == ["odd0"]
    assert list_ids(guerdon, "since:1970-01-01T00:00:09Z") == ["late1", "late0", "other1", "other0"]
    assert list_ids(guerdon, "state:settled until:1970-01-01T00:00:03Z") == ["s1", "s0"]
    assert list_ids(guerdon, "server:3") == []


@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_player_is_found_by_the_finder(guerdon: Guerdon, is_indexed: bool) -> None:
    settle(guerdon, *(make_work(f"v{n}") for n in range(5)))
    pile_settled(guerdon, 5, "nobodys")  # as Bob too, but who was paid is another
    if is_indexed:
        with guerdon.database.connection_context():
            list(add_player_index(guerdon.database))
            guerdon.database.execute_sql(
                "UPDATE guerdon_events SET player_id = (SELECT player_id FROM guerdon_grants LIMIT 1)"
                f" WHERE event_id LIKE {guerdon.database.param}",
                ("v%",),
            )

    assert list_ids(guerdon, "player:Bob") == ["v4", "v3", "v2", "v1", "v0"]
    assert list_ids(guerdon, "player:Bob type:level_up") == []
    with pytest.raises(BadFilter, match='player: no player is called "Eve"'):
        list_ids(guerdon, "player:Eve")
    with guerdon.database.connection_context():
        assert Grant.select().count() == 5


def test_a_page_looks_through_so_many_rows_says_so_and_is_gone_on_with(guerdon: Guerdon) -> None:
    pile_settled(guerdon, 1, "old", server_id="2")
    pile_settled(guerdon, 30)
    pile_events(guerdon, 30, last_error="x {n}")
    pile_events(guerdon, 1, "odd", last_error="y")

    first = guerdon.lists.list_events(EventFilter(server="2"), limit=5, look_through=10)

    assert (first.rows, first.is_cut) == ((), True)
    assert list_ids(guerdon, "server:2", look_through=10) == ["old0"]
    [cause] = [one.filter for one in list_causes(guerdon.database).all if one.words == "y"]
    assert list_ids(guerdon, str(cause), look_through=10) == ["odd0"]
    everything = list_ids(guerdon, "", look_through=10, limit=7)
    assert len(everything) == len(set(everything)) == 62


@pytest.mark.parametrize("before", ["", "x", "open:", "open:-1", "open:1e3", "open:99999999999999999999",
                                    "closed:1", "settled:٣"])  # fmt: skip
def test_a_place_that_is_none_is_refused(guerdon: Guerdon, before: str) -> None:
    with pytest.raises(BadFilter, match="before: "):
        guerdon.lists.list_events(EventFilter(), before)
    with pytest.raises(BadFilter, match="before: "):
        guerdon.lists.list_reports(ReportFilter(), before.removeprefix("open:"))


def test_reports_are_listed_by_all_that_is_known_of_them(guerdon: Guerdon) -> None:
    pile_reports(guerdon, 3, "good", state="delivered", created_at=50_000)
    pile_reports(guerdon, 2)
    pile_reports(guerdon, 2, "w", state="ready", reporter="sud", kind="round", last_error="")
    pile_reports(guerdon, 1, "l", state="leased", reporter="sud")

    def find(text: str, **more: Any) -> list[str]:
        chosen = parse_report_filter(text)
        return [one.key for one in turn_pages(guerdon.lists.list_reports, chosen, 2, **more)]

    assert find("") == ["l0", "w1", "w0", "r1", "r0", "good2", "good1", "good0"]
    assert find("state:dead") == ["r1", "r0"]
    assert find("state:waiting") == ["l0", "w1", "w0"]
    assert find("state:ready reporter:sud kind:round") == ["w1", "w0"]
    assert find("reporter:sud") == ["l0", "w1", "w0"]
    assert find("state:delivered", look_through=2) == ["good2", "good1", "good0"]
    assert find("since:1970-01-01T00:00:50Z") == ["good2", "good1", "good0"]
    assert find("until:1970-01-01T00:00:50Z state:delivered") == []


def test_trouble_is_grouped_by_its_cause(guerdon: Guerdon) -> None:
    pile_events(guerdon, 7, last_error='no player is called "p{n}"', received_at=5_000)
    pile_events(guerdon, 2, "w", state="ready", last_error='no player is called "w{n}"')
    pile_events(guerdon, 3, "x", source="game", last_error='no player is called "p{n}"')
    pile_events(guerdon, 9, "done", state="settled", last_error="it is over")
    pile_reports(guerdon, 4, last_error="it answered 503")
    pile_reports(guerdon, 1, "l", state="leased", reporter="sud", last_error="")
    pile_reports(guerdon, 5, "good", state="delivered")

    found = list_causes(guerdon.database)

    told = [(one.box, one.of, one.words, one.dead, one.waiting) for one in found.all]
    assert told == [
        ("events", "elsewhere", "no player is called …", 7, 2),
        ("reports", "studio", "it answered 503", 4, 0),
        ("events", "game", "no player is called …", 3, 0),
        ("reports", "sud", "", 0, 1),
    ]
    assert (found.read, found.is_whole, found.left_out) == (17, True, 0)
    first = found.all[0]
    assert (first.oldest, first.newest, first.ceiling) == (1_000, 5_000, 9)
    assert first.example.startswith('no player is called "')
    assert sorted(list_ids(guerdon, str(first.filter))) == [
        *(f"d{n}" for n in range(7)), "w0", "w1",
    ]  # fmt: skip


def test_of_a_pile_too_large_a_part_is_read_and_that_is_said(guerdon: Guerdon) -> None:
    pile_events(guerdon, 20, last_error='"{n}" is <b>odd</b>')
    pile_events(guerdon, 5, "w", state="ready", last_error="\u202e")
    pile_reports(guerdon, 20, last_error="a")
    pile_reports(guerdon, 3, "z", reporter="z")

    found = list_causes(guerdon.database, most_read=10, most_causes=2)

    assert (found.read, found.is_whole, found.left_out) == (10 + 5 + 10 + 3, False, 2)
    assert [one.count for one in found.all] == [10, 10]
