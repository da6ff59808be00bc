"""Counters of one player moved on two nodes of a cluster at the same instant: exact, each time."""

from collections import Counter
from decimal import Decimal
from typing import Any

from tests.stories.test_galera_races import (  # noqa: F401  (fixtures)
    cluster,
    open_racers,
    query,
)
from tests.world.racing import race

ROUNDS = 150  # at most
RULES = """
[[rules]]
name = "number"
on = "server.vote"
count = { every = 1 }
give = [{ reward = "gold", amount = "1.00" }]

[[rules]]
name = "three"
on = "server.vote"
limit = { player = "3 ever" }
give = [{ reward = "gold", amount = "100.00" }]

[[rules]]
name = "ten in all"
on = "server.vote"
limit = { all = "10 ever" }
give = [{ reward = "gold", amount = "10000.00" }]

[[rules]]
name = "party"
on = "server.vote"
party = { every = 5 }
give = [{ reward = "item", item = "key" }]
"""


def test_it_works(open_racers: Any) -> None:  # noqa: F811
    """A limit of 3 is 3, one of 10 for all is 10, and no number comes twice or never."""
    guerdon, racers = open_racers(RULES, '[players]\nunknown = "create"\n')
    votes: Counter[str] = Counter()
    undone = rounds = 0
    while rounds < ROUNDS and (undone < 20 or rounds < 40):
        name = f"player {rounds // 8}"
        votes_of_both = [[f"a{rounds}", f"b{rounds}"], [f"c{rounds}"]]
        for states, tries in race(racers, "settle", votes_of_both, [name, name]):
            assert set(states) == {"settled"}
            undone += tries.get("undone", 0)
        votes[name] += 3
        rounds += 1

    print(f"{rounds} rounds, {undone} undone")
    assert undone >= 20
    tallies = query(guerdon, "SELECT votes FROM guerdon_tallies ORDER BY votes")
    assert sorted(row[0] for row in tallies) == sorted(votes.values())
    said = query(
        guerdon, "SELECT player_id, verdicts FROM guerdon_events WHERE type = 'server.vote'"
    )
    numbers = Counter((player, text.split('"why":"')[1].split(" ")[0]) for player, text in said)
    assert set(numbers.values()) == {1}  # each number of each player once
    assert len(numbers) == sum(votes.values())
    paid = dict(query(guerdon, "SELECT rule, COUNT(*) FROM guerdon_grants GROUP BY rule"))
    assert paid == {
        "number": sum(votes.values()), "three": 3 * len(votes), "ten in all": 10,
    }  # fmt: skip
    gold = query(guerdon, "SELECT SUM(gold) FROM players")
    assert gold == [(Decimal(sum(votes.values()) + 300 * len(votes) + 100_000),)]
    assert guerdon.bookkeeping.recounter.verify() == []


def test_two_folders_on_two_nodes_make_each_round_once(open_racers: Any) -> None:  # noqa: F811
    guerdon, racers = open_racers(RULES)
    made = 0
    for number in range(30):
        votes = [[f"a{number}-{n}" for n in range(3)], [f"b{number}-{n}" for n in range(4)]]
        race(racers, "settle", votes, ["Bob", "Bob"])
        made += sum(race(racers, "fold"))
    made += guerdon.parties.fold()

    assert made == 30 * 7 // 5
    rounds = query(guerdon, "SELECT round, COUNT(*) FROM guerdon_party_votes GROUP BY round")
    assert dict(rounds) == dict.fromkeys(range(1, 43), 5)
    kept = query(guerdon, "SELECT COUNT(*) FROM guerdon_events WHERE type = 'party'")
    assert kept == [(42 * 2,)]  # a round, and Bob


DAY = 86_400_000
NOON = 1_600_000_000_000 // DAY * DAY + DAY // 2
STREAK = """
[[rules]]
name = "two days"
on = "server.vote"
streak = { every = 2 }
give = [{ reward = "gold", amount = "1.00" }]

[[rules]]
name = "seldom"
on = "server.vote"
limit = { player = "1 per 36 hours" }
give = [{ reward = "gold", amount = "100.00" }]
"""


def test_two_days_of_one_player_on_two_nodes_are_one_streak(open_racers: Any) -> None:  # noqa: F811
    """What the two write are different rows: only the turn keeps them from missing each other."""
    guerdon, racers = open_racers(STREAK)
    undone = rounds = 0
    while rounds < ROUNDS and (undone < 20 or rounds < 40):
        votes, moments = [[f"a{rounds}"], [f"b{rounds}"]], [NOON + 9 * DAY * rounds] * 2
        moments[1] += DAY
        for states, tries in race(racers, "settle", votes, ["Bob", "Bob"], moments):
            assert states == ["settled"]
            undone += tries.get("undone", 0)
        rounds += 1

    print(f"{rounds} rounds, {undone} undone")
    assert undone >= 20
    chains = query(guerdon, "SELECT length, COUNT(*) FROM guerdon_streaks GROUP BY length")
    assert chains == [(2, rounds)]
    assert query(guerdon, "SELECT gold FROM players") == [(Decimal(101 * rounds),)]
    assert guerdon.bookkeeping.recounter.verify() == []
