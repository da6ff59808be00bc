"""Rules that count, on real databases: the counters move with the payments, exactly."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.books import read_books
from app.testing.players import add_player
from tests.world.books import make_work, settle

DAY = 86_400_000
NOON = 1_790_000_000_000 // DAY * DAY + DAY // 2  # of a Thursday in 2026

Open = Callable[..., Guerdon]


@pytest.fixture
def reopen(write_config: Callable[..., Path]) -> Iterator[Open]:
    """Open another Guerdon on the same tables."""
    with ExitStack() as stack:

        def open_again(rewards: str) -> Guerdon:
            guerdon = open_guerdon(write_config(rewards=rewards))
            stack.callback(guerdon.close)
            return guerdon

        yield open_again


def make_rule(name: str, asks: str, amount: str = "1.00") -> str:
    gives = f'give = [{{ reward = "gold", amount = "{amount}" }}]'
    return f'[[rules]]\nname = "{name}"\non = "server.vote"\n{asks}\n{gives}\n'


def vote(guerdon: Guerdon, id: str, day: int = 0, **changes: Any) -> dict[str, Any]:
    """Settle one vote, so many days after the first; each rule's verdict by its name."""
    [outcome] = settle(guerdon, make_work(id, occurred_at=NOON + day * DAY, **changes))
    assert outcome.state == "settled", outcome.reason
    return read_verdicts(guerdon, id)


def read_verdicts(guerdon: Guerdon, id: str) -> dict[str, Any]:
    sql = f"SELECT verdicts FROM guerdon_events WHERE event_id = {guerdon.database.param}"
    with guerdon.database.connection_context():
        [row] = guerdon.database.execute_sql(sql, (id,)).fetchall()
    return {one["rule"]: one for one in json.loads(row[0])}


def count_paid(guerdon: Guerdon, *ids: str) -> int:
    return sum(one["paid"] for id in ids for one in read_verdicts(guerdon, id).values())


def test_it_works(open_service: Open) -> None:
    """Every third vote pays; the others say how far it is."""
    guerdon = open_service(rewards=make_rule("every 3rd", "count = { every = 3 }"))

    said = [vote(guerdon, f"v{number}")["every 3rd"] for number in range(1, 7)]

    assert [one["paid"] for one in said] == [0, 0, 1, 0, 0, 1]
    assert [one["why"] for one in said[:4]] == ["1 of 3", "2 of 3", "3 of 3", "4 of 6"]
    assert read_books(guerdon).gold["Bob"] == "2.00"


def test_two_votes_of_one_player_in_one_batch_around_a_milestone(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("25th", "count = { at = 25 }"))
    for number in range(24):
        vote(guerdon, f"v{number:02}")

    settle(
        guerdon,
        make_work("later", occurred_at=NOON + 2),
        make_work("sooner", occurred_at=NOON + 1),
    )

    assert read_verdicts(guerdon, "sooner")["25th"]["paid"] == 1
    assert read_verdicts(guerdon, "later")["25th"] == {
        "rule": "25th", "paid": 0, "why": "26, and no mark is left",
    }  # fmt: skip


def test_first_of_the_day_goes_by_the_votes_own_time(open_service: Open) -> None:
    rule = make_rule("first", 'count = { at = 1, in = "day" }')
    guerdon = open_service(rewards=rule)

    paid = [vote(guerdon, id, day)["first"]["paid"] for id, day in
            (("a", 0), ("b", 0), ("c", 1), ("d", 0), ("e", 1), ("f", -1))]  # fmt: skip

    assert paid == [1, 0, 1, 0, 0, 1]


def test_a_streak_does_not_mind_in_which_order_its_days_come(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("week", "streak = { every = 3 }"))

    said = [vote(guerdon, f"d{day}", day)["week"] for day in (0, 1, 3, 4, 2, 5)]

    assert [one["paid"] for one in said] == [0, 0, 0, 0, 1, 1]
    assert said[4]["why"] == "day 5 of 6"


def test_a_payment_that_fails_leaves_no_trace_in_a_counter(open_service: Open) -> None:
    guerdon = open_service(
        rewards=make_rule("2nd", "count = { at = 2 }")
        + '[[rules]]\nname = "code"\non = "server.vote"\nserver = "9"\n'
        'give = [{ reward = "promo_code", pool = "empty" }]\n'
    )
    vote(guerdon, "a")

    [alone] = settle(guerdon, make_work("b", occurred_at=NOON, server_id="9"))
    waits, settled = settle(
        guerdon,
        make_work("b", occurred_at=NOON, server_id="9"),
        make_work("c", occurred_at=NOON + 1),
    )

    assert (alone.state, waits.state, settled.state) == ("waiting", "waiting", "settled")
    assert read_verdicts(guerdon, "c")["2nd"]["paid"] == 1


def test_a_limit_is_never_passed_and_says_who_used_it_up(open_service: Open) -> None:
    limits = 'limit = { player = "1 per day", all = "3 per month" }'
    guerdon = open_service(rewards=make_rule("lucky", limits))
    add_player(guerdon, "Eve")

    vote(guerdon, "b1")
    assert vote(guerdon, "b2")["lucky"]["why"] == (
        "at most 1 per day for a player, used up by server.vote b1"
    )
    vote(guerdon, "b3", 1)
    vote(guerdon, "e1", nickname="Eve")
    assert vote(guerdon, "e2", 2, nickname="Eve")["lucky"]["why"] == (
        "at most 3 per month for all, used up by server.vote e1"
    )


def test_a_limit_by_elapsed_time_holds_for_late_votes_too(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("often", 'limit = { player = "2 per 12 hours" }'))
    hour = 3_600_000

    paid = []
    for number, hours in enumerate((0, 6, 11, 12, 13, 3, 30, 20)):
        settle(guerdon, make_work(f"v{number}", occurred_at=NOON + hours * hour))
        paid.append(read_verdicts(guerdon, f"v{number}")["often"]["paid"])

    assert paid == [1, 1, 0, 1, 0, 0, 1, 1]


BUDGET = """
[[budgets]]
name = "gold of the month"
reward = "gold"
sum = "amount"
at_most = "25.00 per month"
"""


def test_a_budget_is_never_passed_and_the_other_rules_still_pay(open_service: Open) -> None:
    rules = make_rule("much", "", "10.00") + make_rule("little", "", "3.00")
    guerdon = open_service(rewards=rules + BUDGET)

    said = [vote(guerdon, f"v{number}") for number in range(3)]

    assert [(one["much"]["paid"], one["little"]["paid"]) for one in said] == [
        (1, 1), (1, 0), (0, 0),
    ]  # fmt: skip
    assert said[2]["much"]["why"] == "the budget gold of the month is used up"
    assert read_books(guerdon).gold["Bob"] == "23.00"


@pytest.mark.parametrize("at_once", [1, 16])
def test_counters_made_anew_are_what_they_were(
    open_service: Open, reopen: Open, at_once: int
) -> None:
    """Rules come and go; whoever counts again finds what the ledger says."""
    counting = make_rule("every 3rd", "count = { every = 3 }") + make_rule(
        "row", "streak = { every = 2 }"
    )
    plain = make_rule("plain", "")
    first = open_service(rewards=counting + plain)
    for number in range(4):
        vote(first, f"v{number}", number)
    second = reopen(rewards=plain)
    settle(second, make_work("unseen", occurred_at=NOON + 4 * DAY))

    third = reopen(rewards=counting + plain)
    works = [make_work(f"w{n}", occurred_at=NOON + 5 * DAY + n) for n in range(at_once)]
    settle(third, *works)
    said = read_verdicts(third, "w0")

    assert said["every 3rd"]["why"] == "6 of 6"
    assert said["row"]["why"] == "day 6 of 6"
    assert said["row"]["paid"] == 1


def test_a_round_of_several_events_is_counted_as_it_stands(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("2nd", "count = { at = 2 }"))
    events = [
        Event("gamemonitoring", "server.vote", f"part {number}", nickname="Bob", occurred_at=NOON)
        for number in range(3)
    ]

    settle(guerdon, Work(events))

    assert [count_paid(guerdon, event.id) for event in events] == [0, 1, 0]


def test_a_limit_that_is_changed_counts_what_was_paid_before(
    open_service: Open, reopen: Open
) -> None:
    first = open_service(
        rewards=make_rule("mine", 'limit = { player = "1 per day" }')
        + make_rule("ours", 'limit = { all = "5 per day" }')
    )
    vote(first, "v1", -2)

    later = reopen(
        make_rule("mine", 'limit = { player = "1 per week" }')
        + make_rule("ours", 'limit = { all = "1 per month" }')
    )
    faults = later.inspect()
    later.migrate()
    said = vote(later, "v2", -1)

    assert faults == [
        "a limit for all, or a budget, is new, and what was paid before is not counted for it: run"
        " `guerdon migrate`"
    ]
    assert (said["mine"]["paid"], said["ours"]["paid"]) == (0, 0)
    assert later.bookkeeping.recounter.verify() == []


def test_another_season_is_another_count(open_service: Open, reopen: Open) -> None:
    rule = 'when = { from = 2026-09-01, to = 2026-09-20 }\nlimit = { player = "1 per season" }'
    first = open_service(rewards=make_rule("season", rule))

    assert [vote(first, id, -9)["season"]["paid"] for id in ("a", "b")] == [1, 0]
    moved = reopen(make_rule("season", rule.replace("09-01", "09-21").replace("09-20", "09-30")))
    assert [vote(moved, id, 1)["season"]["paid"] for id in ("c", "d")] == [1, 0]


def test_two_chains_that_were_both_paid_are_not_paid_again_as_one(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("row", "streak = { at = [2, 6] }"))

    paid = [vote(guerdon, f"d{day}", day)["row"]["paid"] for day in (0, 1, 3, 4, 2, 5)]

    assert paid == [0, 1, 0, 1, 0, 0]  # in order it would have been two as well


@pytest.mark.parametrize("time", ["yesterday", 1.5, True, -1, 2**70])
def test_a_time_that_is_none_is_said_to_be_none(open_service: Open, time: Any) -> None:
    guerdon = open_service(rewards=make_rule("2nd", "count = { at = 2 }"))

    wrong, right = settle(guerdon, make_work("a", occurred_at=time), make_work("b", occurred_at=1))

    assert (wrong.state, wrong.reason) == ("waiting", "the event's occurred_at is no time in ms")
    assert right.state == "settled"


def test_a_round_as_a_whole_is_counted_for_nobody_also_in_an_old_ledger(
    open_service: Open, reopen: Open
) -> None:
    """Of old events nothing says whether they earn: their type and their parts do."""
    plain = (
        '[[rules]]\nname = "r"\non = "game_settle"\ngive = [{ reward = "gold", amount = "1.00" }]\n'
    )
    guerdon = open_service(rewards=plain)
    whole = Event("game-server", "game_settle", "r1", user_id="Bob", earns=False)
    part = Event("game-server", "game_settle", "r1:Bob", user_id="Bob", is_shared=True)
    settle(guerdon, Work([whole, part]))
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_events SET earns = NULL, player_id = NULL")

    later = reopen(plain.replace("give", "count = { every = 2 }\ngive"))
    later.migrate()

    with later.database.connection_context():
        tallies = later.database.execute_sql("SELECT votes FROM guerdon_tallies").fetchall()
    assert list(tallies) == [(1,)]
