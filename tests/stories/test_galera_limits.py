"""What all share, used up on three nodes of a cluster at once: to the last that fits, and never beyond."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.guerdon import Guerdon
from tests.stories.test_galera_races import (  # noqa: F401  (fixtures)
    cluster,
    open_racers,
    query,
)
from tests.world.racing import Racer, race
from tests.world.servers import ROOT

DAYS = (1, 8, 15)  # of each month, on which all three nodes pay at once
AT_ONCE = 4  # votes on each node: 36 in a month
CONFLICTS = 20  # of each kind
MONTHS = 60  # at most
NAMES = ["Ann", "Ben", "Cat"]  # so that nobody waits for a player's turn
ALWAYS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "item", item = "coin" }]
"""
SHARED = """
[[rules]]
name = "thirty"
on = "server.vote"
give = [{ reward = "gold", amount = "30.00" }]

[[rules]]
name = "twenty in all"
on = "server.vote"
limit = { all = "20 per month" }
give = [{ reward = "item", item = "key" }]

[[budgets]]
name = "gold of the month"
reward = "gold"
sum = "amount"
at_most = "1000.00 per month"
"""
FIVE = """
[[rules]]
name = "five at a time"
on = "server.vote"
limit = { all = "5 per 6 hours" }
give = [{ reward = "item", item = "box" }]
"""
REFUSED = {
    "thirty": "the budget gold of the month is used up",
    "twenty in all": "at most 20 per month for all, used up by server.vote ",
    "five at a time": "at most 5 per 6 hours for all",
}
PLAYERS = '[players]\nunknown = "create"\n'


def at_noon(month: int, day: int) -> int:
    """In ms: in the past by every clock, so that a vote counts by its own time."""
    return int(datetime(2015 + month // 12, month % 12 + 1, day, 12, tzinfo=UTC).timestamp()) * 1000


def pay_months(racers: list[Racer]) -> tuple[int, int]:
    """All nodes at once, three times a month, until there were conflicts enough.

    How many months; and how many conflicts of the kind of which there were fewer.
    """
    tries: Counter[str] = Counter()
    months = 0
    while months < MONTHS and (min(tries["undone"], tries["duplicate"]) < CONFLICTS or months < 6):
        for place, day in enumerate(DAYS):
            ids = [[f"{months}-{day}-{name}-{n}" for n in range(AT_ONCE)] for name in NAMES]
            moments = [at_noon(months, day)] * len(racers)
            late = [0.001 * ((months + place) % 6) * node for node in range(len(racers))]
            for states, tried in race(racers, "settle", ids, NAMES, moments, delays=late):
                assert set(states) == {"settled"}
                tries += Counter(tried)
        months += 1
    print(f"{months} months, {dict(tries)}")
    return months, min(tries["undone"], tries["duplicate"])


def open_three(open_racers: Any, rules: str) -> tuple[Guerdon, list[Racer], list[Path]]:  # noqa: F811
    """A Guerdon on the third node, and a racer on each, with its config."""
    guerdon, racers = open_racers(rules, PLAYERS)
    folder = guerdon.config.path.parent.parent
    configs = [folder / f"node{number}" / "guerdon.toml" for number in (1, 2, 3)]
    racers.append(Racer(configs[2]))
    return guerdon, racers, configs


def check_verdicts(guerdon: Guerdon, months: int, fits: dict[str, int]) -> None:
    """In each month a rule has paid just what fits, and said why not for the rest."""
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for id, text in query(guerdon, "SELECT event_id, verdicts FROM guerdon_events"):
        said[id.partition("-")[0]] += json.loads(text)
    assert len(said) == months
    for verdicts in said.values():
        assert Counter(one["rule"] for one in verdicts if one["paid"]) == fits
        refused = [one for one in verdicts if not one["paid"]]
        assert all(one["why"].startswith(REFUSED[one["rule"]]) for one in refused)
    grants = dict(query(guerdon, "SELECT rule, COUNT(*) FROM guerdon_grants GROUP BY rule"))
    assert grants == {rule: times * months for rule, times in fits.items()}


def run_verify(config: Path) -> str:
    """What `guerdon counters verify` says by this config."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "counters", "verify"], cwd=ROOT, text=True, check=False,
        env=os.environ | {"GUERDON_CONFIG": str(config)}, capture_output=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_it_works(open_racers: Any) -> None:  # noqa: F811
    """Budgets and limits for all are never over on three nodes, and the votes' other rules pay.

    33 times 30.00 are 990.00; once more would be 1020.00.
    """
    guerdon, racers, configs = open_three(open_racers, ALWAYS + SHARED)

    months, conflicts = pay_months(racers)

    check_verdicts(guerdon, months, {"every vote": 36, "thirty": 33, "twenty in all": 20})
    assert query(guerdon, "SELECT SUM(gold) FROM players") == [(Decimal(990 * months),)]
    used = query(guerdon, "SELECT used, COUNT(*) FROM guerdon_limits GROUP BY used")
    assert dict(used) == {20: months, 990_000_000: months}
    for config in configs:
        assert run_verify(config) == "all counters are what the ledger says\n"
    assert conflicts >= CONFLICTS


def test_a_limit_by_elapsed_time_is_for_all_nodes_together(open_racers: Any) -> None:  # noqa: F811
    guerdon, racers, configs = open_three(open_racers, ALWAYS + FIVE)

    months, conflicts = pay_months(racers)

    check_verdicts(guerdon, months, {"every vote": 36, "five at a time": 5 * len(DAYS)})
    moments = query(
        guerdon, "SELECT payments, COUNT(*) FROM guerdon_limit_moments GROUP BY payments"
    )
    assert dict(moments) == {5: months * len(DAYS)}
    for config in configs:
        assert run_verify(config) == "all counters are what the ledger says\n"
    assert conflicts >= CONFLICTS
