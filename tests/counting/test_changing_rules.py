"""Rules are added, renamed, changed, removed and restored: what each means for what was counted and paid."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_counting import DAY, NOON, make_rule, vote
from tests.counting.test_occasions import ask, at, serve
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
PLAIN = make_rule("plain", 'server = "9"')
ROW = "streak = { at = [2, 6] }"


@pytest.fixture
def change(write_config: Any, clock: Any) -> Iterator[Open]:
    """The same service by other rules, as after a restart; migrated, if it says that it has to be."""
    with ExitStack() as stack:

        def change_to(*rules: str, migrates: bool = True) -> Guerdon:
            guerdon = open_guerdon(write_config(rewards="".join(rules)), clock)
            stack.callback(guerdon.close)
            wants = guerdon.inspect() or list(guerdon.bookkeeping.list_warnings())
            if migrates and wants:
                guerdon.migrate()
            return guerdon

        yield change_to


def vote_on(guerdon: Guerdon, days: Any, rule: str, id: str = "v", **changes: Any) -> list[int]:
    """A vote on each of these days, and how often the rule paid it; then all counters are verified."""
    said = [vote(guerdon, f"{id}{day}", day, **changes) for day in days]
    assert guerdon.bookkeeping.recounter.verify() == []
    return [one[rule]["paid"] for one in said]


@pytest.mark.parametrize("migrates", [True, False])
def test_it_works(open_service: Open, change: Open, migrates: bool) -> None:
    """Added: it has counted all that was there, and pays what is crossed from now on."""
    first = open_service(rewards=make_rule("2nd", "count = { every = 2 }"))
    assert vote_on(first, range(5), "2nd") == [0, 1, 0, 1, 0]

    later = change(
        make_rule("2nd", "count = { every = 2 }"),
        make_rule("marks", "count = { at = [3, 5, 7] }"),
        make_rule("row", "streak = { every = 3 }"),
        migrates=migrates,
    )
    said = [vote(later, f"w{day}", day) for day in (5, 6, 7, 8)]

    assert [one["2nd"]["paid"] for one in said] == [1, 0, 1, 0]
    assert [one["marks"]["paid"] for one in said] == [0, 1, 0, 0]
    assert [one["row"]["why"] for one in said] == [
        "day 6 of 6",
        "day 7 of 9",
        "day 8 of 9",
        "day 9 of 9",
    ]
    assert read_books(later).gold == {"Bob": "7.00"}
    assert later.bookkeeping.recounter.verify() == []


def test_a_ranking_that_is_added_knows_who_voted_before_it(
    open_service: Open, change: Open, clock: Any
) -> None:
    clock.now = at("2026-11-20T12:00")
    first = open_service(rewards=PLAIN)
    add_player(first, "Eve")
    works = [make_work(f"v{n}", nickname="Eve", occurred_at=clock.now - n) for n in range(3)]
    settle(first, *works)

    later = change(PLAIN, make_rule("top", 'ranking = { in = "month" }'))
    later.rankings.close_due()
    settle(later, *[make_work(f"w{n}", occurred_at=clock.now - n) for n in range(2)])
    clock.now = at("2026-12-02T12:00")
    serve(later)

    assert read_books(later).gold == {"Bob": "0.00", "Eve": "1.00"}


PARTY = "party = { every = 4 }"


@pytest.mark.parametrize(
    ("before", "after", "rounds"),
    [
        (make_rule("party", PARTY), make_rule("festival", PARTY), 1),
        (make_rule("party", PARTY), make_rule("party", PARTY, "5.00"), 1),
        (make_rule("other", PARTY.replace("4", "40")), make_rule("party", PARTY), 0),
        (make_rule("party", PARTY.replace("4", "5")), make_rule("party", PARTY), 0),
        (make_rule("party", PARTY), make_rule("party", 'party = { every = 4, in = "week" }'), 0),
        (make_rule("party", PARTY), make_rule("party", f'server = "1"\n{PARTY}'), 0),
    ],
    ids=["renamed", "gives else", "added", "changed number", "changed period", "changed servers"],
)
def test_a_party_goes_on_where_it_is_the_same(
    open_service: Open, change: Open, before: str, after: str, rounds: int
) -> None:
    """Three votes before, one after: a round of four, unless it is another party by then."""
    first = open_service(rewards=before)
    votes = [make_work(f"v{n}", server_id="1", occurred_at=NOON + n) for n in range(7)]
    settle(first, *votes[:3])

    later = change(after)
    settle(later, votes[3])

    assert later.parties.fold() == rounds
    settle(later, *votes[4:])
    assert later.parties.fold() == 1 - rounds


def test_renamed_its_counts_and_streaks_go_on_and_its_limits_begin_anew(
    open_service: Open, change: Open
) -> None:
    def make_rules(word: str) -> list[str]:
        return [
            make_rule(f"{word} count", "count = { at = [2, 3] }"),
            make_rule(f"{word} row", "streak = { at = [2, 4] }"),
            make_rule(f"{word} limit", 'limit = { player = "1 ever" }'),
            make_rule(f"{word} for all", 'limit = { all = "1 ever" }'),
        ]

    first = open_service(rewards="".join(make_rules("old")))
    assert vote_on(first, range(2), "old limit") == [1, 0]

    later = change(*make_rules("new"))
    said = [vote(later, f"w{day}", day) for day in (2, 3)]

    for name, paid in (("count", [1, 0]), ("row", [0, 1]), ("limit", [1, 0]), ("for all", [1, 0])):
        assert [one[f"new {name}"]["paid"] for one in said] == paid, name
    assert [one["new count"]["why"] for one in said] == ["3 of 3", "4, and no mark is left"]
    assert later.bookkeeping.recounter.verify() == []


def test_renamed_a_ranking_is_the_same_and_what_is_closed_stays_it(
    open_service: Open, change: Open, clock: Any
) -> None:
    clock.now = at("2026-10-20T12:00")
    asks = 'ranking = { in = "month" }'
    first = open_service(rewards=make_rule("old", asks))
    first.rankings.close_due()
    settle(first, make_work("v1", occurred_at=clock.now))
    settle(first, make_work("v2", occurred_at=at("2026-10-31T12:00")))
    clock.now = at("2026-11-01T02:00")
    serve(first)
    settle(first, make_work("v3", occurred_at=clock.now))

    later = change(make_rule("new", asks, "5.00"))
    serve(later)
    assert not later.rankings.close(later.rules.all[0], "month:2026-10")
    clock.now = at("2026-12-01T02:00")
    serve(later)

    assert read_books(later).gold == {"Bob": "6.00"}


@pytest.mark.parametrize("asks", ["count = { at = [2, 4] }", "streak = { at = [2, 4] }"])
def test_changed_in_what_it_gives_all_goes_on(open_service: Open, change: Open, asks: str) -> None:
    first = open_service(rewards=make_rule("r", asks))
    assert vote_on(first, range(3), "r") == [0, 1, 0]

    later = change(make_rule("r", asks, "50.00"))

    assert vote_on(later, range(3, 5), "r") == [1, 0]
    assert read_books(later).gold == {"Bob": "51.00"}


@pytest.mark.parametrize("key", ["count", "streak"])
def test_changed_in_its_numbers_what_was_passed_is_not_paid(
    open_service: Open, change: Open, key: str
) -> None:
    first = open_service(rewards=make_rule("r", f"{key} = {{ every = 5 }}"))
    assert vote_on(first, range(4), "r") == [0, 0, 0, 0]

    later = change(make_rule("r", f"{key} = {{ at = [2, 3, 6, 7] }}"))

    assert vote_on(later, range(4, 8), "r") == [0, 1, 1, 0]
    assert read_books(later).gold == {"Bob": "2.00"}


@pytest.mark.parametrize(
    ("before", "after", "paid"),
    [
        ('server = "1"', "", [0, 1, 0]),
        ("", 'server = "1"', [0, 0, 0]),
        ('where = { kind = "a" }', 'where = { kind = "b" }', [0, 1, 0]),
        ("when = { from = 2026-09-01, to = 2026-09-23 }", "", [0, 1, 0]),
    ],
    ids=["server", "one server", "facts", "dates"],
)
@pytest.mark.parametrize("others", ["", make_rule("each", "", "100.00")], ids=["alone", "beside"])
def test_changed_in_what_it_counts_it_is_filled_from_the_ledger(
    open_service: Open, change: Open, before: str, after: str, paid: list[int], others: str
) -> None:
    """Also what nobody counted, nor asked for its player, where no other rule was for it."""
    count = "\ncount = { every = 7 }"
    first = open_service(rewards=make_rule("r", before + count) + others)
    for number in range(5):
        server, moment = "12"[number > 2], NOON + number * DAY
        settle(
            first,
            make_work(f"v{number}", server_id=server, occurred_at=moment, data={"kind": "b"}),
        )

    later = change(make_rule("r", after + count) + others)

    said = vote_on(later, range(5, 8), "r", server_id="1", data={"kind": "b"})
    assert said == paid
    assert read_books(later).gold == {"Bob": f"{sum(said) + 800 * bool(others)}.00"}


@pytest.mark.parametrize("others", ["", make_rule("other", "count = { every = 50 }")])
def test_restored_it_pays_nothing_of_what_it_paid_or_would_have_paid(
    open_service: Open, change: Open, others: str
) -> None:
    rules = make_rule("count", "count = { at = [2, 5, 7] }") + make_rule("row", ROW)
    once = make_rule("once", 'limit = { player = "1 per year" }')
    first = open_service(rewards=rules + once + others)
    assert vote_on(first, (0, 1, 3, 4), "row") == [0, 1, 0, 1]

    without = change(PLAIN + others)
    settle(without, make_work("unseen", occurred_at=NOON - 30 * DAY))
    later = change(rules + once + others)
    said = [vote(later, f"w{day}", day) for day in (2, 5)]

    # One chain of six by now, both of whose parts were paid for their second day.
    assert [one["row"]["paid"] for one in said] == [0, 0]
    assert [one["count"]["why"] for one in said] == ["6 of 7", "7 of 7"]
    assert [one["once"]["paid"] for one in said] == [0, 0]
    assert read_books(later).gold == {"Bob": "5.00"}  # 2nd, 7th, two rows, once
    assert later.bookkeeping.recounter.verify() == []


OTHER_ROW = make_rule("other", "streak = { every = 50 }")


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_restored_a_streak_that_was_counted_on_for_another_rule_is_not_paid_again(
    open_service: Open, change: Open, is_rebuilt: bool
) -> None:
    """Also where it was counted anew while its rule was not there."""
    first = open_service(rewards=make_rule("row", ROW) + OTHER_ROW)
    assert vote_on(first, (0, 1, 3, 4), "row") == [0, 1, 0, 1]

    without = change(OTHER_ROW)
    if is_rebuilt:
        without.bookkeeping.rebuild()
    later = change(make_rule("row", ROW) + OTHER_ROW)

    assert vote_on(later, (2, 5), "row") == [0, 0]


def test_renamed_or_removed_a_streak_is_what_the_ledger_says(
    open_service: Open, change: Open
) -> None:
    first = open_service(rewards=make_rule("row", "streak = { every = 2 }") + OTHER_ROW)
    assert vote_on(first, range(3), "row") == [0, 1, 0]

    renamed = change(make_rule("new", "streak = { every = 2 }") + OTHER_ROW)
    assert renamed.bookkeeping.recounter.verify() == []
    assert vote_on(renamed, range(3, 5), "new") == [1, 0]
    removed = change(OTHER_ROW)

    assert vote_on(removed, range(5, 7), "other") == [0, 0]


def test_check_says_where_votes_were_settled_that_are_not_counted(
    open_service: Open, write_config: Any, clock: Any
) -> None:
    """By rules that did not ask for their player; and only where it is so."""
    rules = make_rule("count", 'server = "1"\ncount = { every = 2 }')
    first = open_service(rewards=rules)
    settle(first, make_work("a", server_id="1"), make_work("b", server_id="2"))
    assert list(first.bookkeeping.list_warnings()) == []
    without = open_guerdon(write_config(rewards=PLAIN), clock)
    settle(without, make_work("c", server_id="2"))
    without.close()
    again = open_guerdon(write_config(rewards=rules), clock)
    assert list(again.bookkeeping.list_warnings()) == []
    again.close()

    without = open_guerdon(write_config(rewards=PLAIN), clock)
    settle(without, make_work("d", server_id="1"))
    without.close()
    again = open_guerdon(write_config(rewards=rules), clock)
    warnings = list(again.bookkeeping.list_warnings())
    again.migrate()

    assert warnings == [
        "votes that the rules count were settled by rules that did not: run `guerdon migrate`, so that they"
        " are counted too"
    ]
    assert list(again.bookkeeping.list_warnings()) == []
    assert vote(again, "e", server_id="1")["count"]["why"] == "3 of 4"
    again.close()


def test_restored_a_party_has_not_counted_meanwhile(open_service: Open, change: Open) -> None:
    first = open_service(rewards=make_rule("party", PARTY))
    settle(first, *[make_work(f"v{n}", occurred_at=NOON + n) for n in range(3)])
    settle(change(PLAIN), *[make_work(f"w{n}", occurred_at=NOON + n) for n in range(3)])

    later = change(make_rule("party", PARTY))

    assert later.parties.fold() == 0
    settle(later, make_work("x", occurred_at=NOON + 9))
    assert later.parties.fold() == 1
    voters = "SELECT COUNT(*) FROM guerdon_party_votes WHERE round = 1"
    assert ask(later, voters) == [(4,)]
