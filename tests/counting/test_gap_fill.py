"""Hundreds of old votes that come at once, as a reconciliation brings them: in their place, each once."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from app.counting.trial import Trial
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.testing.players import add_player
from tests.counting.telling import Told, Vote, tell
from tests.counting.test_counting import read_verdicts
from tests.counting.test_occasions import ask, at, make_rule, serve
from tests.counting.test_telling import make_event, read_paid

Open = Callable[..., Guerdon]
NAMES = ["Bob", "Eve", "Kim"]
MINUTE = 60_000
BEGIN, END = at("2026-08-01T00:00"), at("2026-11-20T00:00")  # 111 days
OLD, KNOWN = 500, 60
RULES = [
    Told("every 25th", count={"every": 25}),
    Told("marks of the month", count={"at": [10, 30], "in": "month"}),
    Told("first of the day", count={"at": [1], "in": "day"}),
    Told("row", streak={"every": 7}),
    Told("patient", streak={"at": [2, 9, 27], "may_miss": 1}),
    Told("once a week", limit={"player": "1 per week", "all": "9 per month"}),
    Told("seldom", limit={"player": "1 per 12 hours"}),
]
TOP = make_rule("top", 'ranking = { in = "month", place = [1, 2] }')


def write_rules() -> str:
    """The same as TOML, and a ranking beside them."""
    text = TOP
    for rule in RULES:
        asks = ""
        for key in ("count", "streak", "limit"):
            if said := getattr(rule, key):
                inner = ", ".join(f"{name} = {value!r}" for name, value in said.items())
                asks += f"{key} = {{ {inner} }}\n".replace("'", '"')
        text += make_rule(rule.name, asks)
    return text


def make_votes(count: int, start: int, dice: random.Random) -> list[Vote]:
    """Votes of different minutes, in no order."""
    minutes = dice.sample(range((END - BEGIN) // MINUTE), count)
    return [
        Vote(f"v{start + n}", dice.choice(NAMES), BEGIN + minute * MINUTE + start)
        for n, minute in enumerate(minutes)
    ]


def settle_all(guerdon: Guerdon, votes: Sequence[Vote], at_once: int) -> list[Vote]:
    """Votes so many in a batch; in the order in which they were counted."""
    settled: list[Vote] = []
    for first in range(0, len(votes), at_once):
        some = votes[first : first + at_once]
        outcomes = guerdon.settler.settle([Work([make_event(vote)]) for vote in some])
        assert {outcome.state for outcome in outcomes} == {"settled"}
        settled += sorted(some, key=lambda vote: vote.moment)
    return settled


@pytest.fixture
def open_with_past(open_service: Open, clock: Any) -> Callable[[], tuple[Guerdon, list[Vote]]]:
    """What knows some votes of a summer, each paid when it was cast; three months are closed."""

    def open_one() -> tuple[Guerdon, list[Vote]]:
        clock.now = BEGIN
        guerdon = open_service(rewards=write_rules())
        for name in NAMES[1:]:
            add_player(guerdon, name)
        guerdon.rankings.close_due()
        known = make_votes(KNOWN, 0, random.Random(1))
        for vote in (ordered := sorted(known, key=lambda one: one.moment)):
            clock.now = vote.moment + 1000
            settle_all(guerdon, [vote], 1)
        clock.now = END
        serve(guerdon)
        assert len(read_closed(guerdon)) == 3 * 3  # each month, and whom it paid
        return guerdon, ordered

    return open_one


def read_closed(guerdon: Guerdon) -> list[Any]:
    """All that rankings have handed to the inbox."""
    sql = "SELECT event_id, data, state FROM guerdon_inbox WHERE type = 'ranking'"
    return sorted(ask(guerdon, sql))


def count_tops(guerdon: Guerdon) -> list[Any]:
    sql = "SELECT player_id, COUNT(*) FROM guerdon_grants WHERE rule = 'top' GROUP BY player_id"
    return sorted(ask(guerdon, sql))


def check_books(guerdon: Guerdon) -> None:
    """Counters and ledger agree, before and after all is counted anew; and what a trial says."""
    recounter = guerdon.bookkeeping.recounter
    assert recounter.verify() == []
    trial = Trial(guerdon.programme)
    with guerdon.database.connection_context():
        trial.run(guerdon.database)
    told = {one.rule: (one.times, one.more, one.less) for one in trial.results.values()}
    assert told == {one.rule: (one.paid, 0, 0) for one in trial.results.values()}
    guerdon.bookkeeping.rebuild()
    assert recounter.verify() == []


@pytest.mark.parametrize("at_once", [OLD, 64, 1])
def test_it_works(open_with_past: Any, clock: Any, at_once: int) -> None:
    """Each rule pays exactly what the second telling of the rules says; closed months stay as they are."""
    guerdon, known = open_with_past()
    closed, tops = read_closed(guerdon), count_tops(guerdon)

    settled = known + settle_all(guerdon, make_votes(OLD, KNOWN, random.Random(2)), at_once)
    serve(guerdon)

    paid = read_paid(guerdon)
    for rule in RULES:
        expected = tell([rule], settled)
        assert {vote.id: paid[vote.id][rule.name] for vote in settled} == {
            id: said[rule.name] for id, said in expected.items()
        }, rule.name
    assert (read_closed(guerdon), count_tops(guerdon)) == (closed, tops)
    check_books(guerdon)


def test_what_is_paid_by_count_are_the_crossings(open_with_past: Any, clock: Any) -> None:
    guerdon, known = open_with_past()
    old = make_votes(OLD, KNOWN, random.Random(2))

    settle_all(guerdon, old, OLD)

    votes = known + old
    paid = read_paid(guerdon)
    for name in NAMES:
        mine = [vote for vote in votes if vote.player == name]
        months = [vote.period("month") for vote in mine]
        got = {rule.name: sum(paid[vote.id][rule.name] for vote in mine) for rule in RULES}
        assert got["every 25th"] == len(mine) // 25
        assert got["first of the day"] == len({vote.day for vote in mine})
        assert got["marks of the month"] == sum(
            (months.count(month) >= 10) + (months.count(month) >= 30) for month in set(months)
        )
    assert sum(one.get("row", 0) for one in paid.values()) >= 10  # gaps were closed


def test_the_month_that_is_open_gets_them_and_the_closed_ones_say_so(
    open_with_past: Any, clock: Any
) -> None:
    guerdon, known = open_with_past()
    closed = read_closed(guerdon)
    old = make_votes(OLD, KNOWN, random.Random(2))

    settle_all(guerdon, old, 64)
    why = {vote.id: read_verdicts(guerdon, vote.id)["top"]["why"] for vote in old}
    assert not any(
        guerdon.rankings.close(guerdon.rules.all[0], f"month:2026-{n:02}") for n in (8, 9, 10)
    )
    clock.now = at("2026-12-01T02:00")
    serve(guerdon)

    for vote in old:
        is_open = vote.period("month") == (2026, 11)
        said = "counts in the ranking" if is_open else "came after the ranking was closed"
        assert why[vote.id].startswith(said)
    november = [one.player for one in (*known, *old) if one.period("month") == (2026, 11)]
    first, second, _ = sorted(NAMES, key=november.count, reverse=True)
    new = [row for row in read_closed(guerdon) if row not in closed]
    [table] = [data for _, data, _ in new if '"table"' in data]
    assert f",{november.count(first)},1,1]" in table
    assert f",{november.count(second)},2,2]" in table
    assert len(new) == 3
    check_books(guerdon)
