"""What a player is when he is paid decides who is paid, and never what is counted."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from app.counting.comparing import read_kept
from app.counting.trial import Trial
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_counting import DAY, NOON, count_paid, make_rule, read_verdicts, vote
from tests.counting.test_taken_rows import run_all
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
MEMBERS = 'where = { "player.role" = "member" }\n'
ASKED = {
    "2nd": "count = { every = 2 }",
    "of a day": 'count = { at = [1, 3], in = "day" }',
    "row": "streak = { every = 2 }",
    "patient": "streak = { every = 3, may_miss = 1 }",
}
# Each twice: for everybody, and for members; both have one counter.
TWINS = "".join(
    make_rule(name, asks) + make_rule(f"members' {name}", MEMBERS + asks)
    for name, asks in ASKED.items()
)
LIMITED = make_rule("once", MEMBERS + 'limit = { player = "1 per day", all = "3 per month" }')
GUEST = "player.role is not known"


def make_member(guerdon: Guerdon, is_member: bool, player: str = "1") -> None:
    run_all(guerdon, f"DELETE FROM guerdon_roles WHERE player_id = '{player}'")
    if is_member:
        run_all(guerdon, f"INSERT INTO guerdon_roles VALUES ('{player}', 'member', {2**60})")


def check_books(guerdon: Guerdon, players: tuple[str, ...] = ("1",)) -> None:
    """Verified, made anew and tried: all find what was paid and counted."""
    recounter = guerdon.bookkeeping.recounter
    with guerdon.database.connection_context():
        kept = read_kept(guerdon.database, players)
    assert recounter.verify() == []
    assert guerdon.bookkeeping.rebuild() == len(players)
    with guerdon.database.connection_context():
        assert read_kept(guerdon.database, players) == kept
        trial = Trial(guerdon.programme)
        trial.run(guerdon.database)
    assert recounter.verify() == []
    told = {one.rule: (one.times, one.more, one.less) for one in trial.results.values()}
    assert told == {one.rule: (one.paid, 0, 0) for one in trial.results.values()}


def test_it_works(open_service: Open) -> None:
    """A guest's votes count; what they have reached is not paid, then or later."""
    guerdon = open_service(rewards=TWINS)
    plan = [False, False, True, True, False, False, True, True]

    said = []
    for number, is_member in enumerate(plan):
        make_member(guerdon, is_member)
        said.append(vote(guerdon, f"v{number}", number))

    assert [one["2nd"]["paid"] for one in said] == [0, 1] * 4
    assert [one["members' 2nd"]["paid"] for one in said] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert [one["members' row"]["paid"] for one in said] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert [one["members' 2nd"]["why"] for one in said] == [
        "1 of 2", GUEST, "3 of 4", "4 of 4", "5 of 6", GUEST, "7 of 8", "8 of 8",
    ]  # fmt: skip
    check_books(guerdon)


def test_who_is_refused_uses_nothing_up(open_service: Open) -> None:
    guerdon = open_service(rewards=LIMITED)
    plan = [
        (0, False),
        (0, True),
        (0, True),
        (1, False),
        (1, True),
        (2, True),
        (3, False),
        (3, True),
    ]

    said = []
    for number, (day, is_member) in enumerate(plan):
        make_member(guerdon, is_member)
        said.append(vote(guerdon, f"v{number}", day)["once"])

    assert [one["paid"] for one in said] == [0, 1, 0, 0, 1, 1, 0, 0]
    assert [one.get("why", "").partition(",")[0] for one in said] == [
        GUEST, "", "at most 1 per day for a player", GUEST, "", "", GUEST, "at most 3 per month for all",
    ]  # fmt: skip
    assert read_books(guerdon).gold == {"Bob": "3.00"}
    check_books(guerdon)


def test_what_a_vote_makes_of_its_player_holds_from_his_next_payment(open_service: Open) -> None:
    """The facts are those of the moment: all votes of a batch are paid at the same one."""
    role = make_rule("promotion", "count = { at = 1 }").replace(
        'reward = "gold", amount = "1.00"', 'reward = "role", role = "member"'
    )
    guerdon = open_service(rewards=role + TWINS)
    together = [make_work(f"v{n}", occurred_at=NOON + n) for n in range(2)]

    settle(guerdon, *together)
    settle(guerdon, *[make_work(f"v{n}", occurred_at=NOON + n) for n in (2, 3)])

    paid = [read_verdicts(guerdon, f"v{n}")["members' 2nd"]["paid"] for n in range(4)]
    assert paid == [0, 0, 0, 1]
    assert read_verdicts(guerdon, "v1")["members' 2nd"]["why"] == GUEST
    check_books(guerdon)


@pytest.mark.parametrize("seed", range(4))
def test_facts_that_change_at_any_time_move_no_counter(open_service: Open, seed: int) -> None:
    """Days in any order, in any batches: a member is paid what everybody is, and a guest nothing."""
    dice = random.Random(seed)
    guerdon = open_service(rewards=TWINS + LIMITED)
    add_player(guerdon, "Eve")
    members: dict[str, bool] = {}
    for number in range(25):
        is_member = {name: dice.random() < 0.5 for name in ("Bob", "Eve")}
        for name, key in (("Bob", "1"), ("Eve", "2")):
            make_member(guerdon, is_member[name], key)
        works: list[Any] = []
        for place in range(dice.randrange(1, 5)):
            id, name = f"v{number}-{place}", dice.choice(["Bob", "Eve"])
            members[id] = is_member[name]
            moment = NOON + dice.randrange(14) * DAY + len(members)
            works.append(make_work(id, nickname=name, occurred_at=moment))
        settle(guerdon, *works)

    for id, was_member in members.items():
        said = read_verdicts(guerdon, id)
        for name in ASKED:
            assert said[f"members' {name}"]["paid"] == said[name]["paid"] * was_member, (id, name)
    assert 0 < count_paid(guerdon, *members) < 8 * len(members)
    check_books(guerdon, ("1", "2"))
