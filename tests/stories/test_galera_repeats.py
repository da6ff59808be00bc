"""Two votes of one player that come too soon after each other, on two nodes at the same instant: one pays."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.stories.test_galera_races import (  # noqa: F401  (fixtures)
    cluster,
    open_racers,
    query,
)
from tests.world.racing import race

ROUNDS, UNDONE = 150, 15  # at most; at least
HOUR = 3_600_000  # ms
BEGAN = 1_700_000_000_000
PLAIN = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
"""
COUNTED = PLAIN.replace("give =", "count = { every = 1 }\ngive =")


@pytest.mark.parametrize("rules", [PLAIN, COUNTED], ids=["plain", "counted"])
def test_it_works(open_racers: Any, rules: str) -> None:  # noqa: F811
    guerdon, racers = open_racers(rules, '[players]\nunknown = "create"\n')
    undone = rounds = 0
    while rounds < ROUNDS and (undone < UNDONE or rounds < 30):
        ids, names = [f"a{rounds}", f"b{rounds}"], [f"player {rounds % 5}"] * 2
        moments = [BEGAN + rounds * HOUR, BEGAN + rounds * HOUR + 60_000 * (rounds % 60)]
        answers = race(racers, "settle_near", ids, names, moments)
        assert sorted(state for state, _ in answers) == ["repeated", "settled"]
        undone += sum(tries.get("undone", 0) for _, tries in answers)
        rounds += 1

    print(f"{rounds} rounds, {undone} undone")
    assert undone >= UNDONE
    assert query(guerdon, "SELECT SUM(gold) FROM players") == [(Decimal(rounds),)]
    kept = [
        query(guerdon, f"SELECT COUNT(*) FROM guerdon_{one}")[0][0] for one in ("recent", "repeats")
    ]
    assert kept == [rounds, rounds]
    assert Counter(row[0] for row in query(guerdon, "SELECT earns FROM guerdon_events")) == {
        1: rounds, 0: rounds,
    }  # fmt: skip
