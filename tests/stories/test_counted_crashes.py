"""Killed at every point where counters, parties and rankings are written: nothing is lost, nothing twice."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.failpoints import VARIABLE
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.world.servers import ROOT

NOVEMBER = 1_793_491_200_000  # ms; 1 November 2026
DAY = 86_400_000
RULES = """
[[rules]]
name = "every 3rd"
on = "server.vote"
count = { every = 3 }
limit = { all = "100 per month" }
give = [{ reward = "gold", amount = "1.00" }]

[[rules]]
name = "row"
on = "server.vote"
streak = { every = 2 }
give = [{ reward = "gold", amount = "10.00" }]

[[rules]]
name = "party"
on = "server.vote"
party = { every = 5 }
give = [{ reward = "gold", amount = "100.00" }]

[[rules]]
name = "top"
on = "server.vote"
ranking = { in = "month" }
give = [{ reward = "gold", amount = "1000.00" }]
"""
PLAIN = (
    '[[rules]]\nname = "plain"\non = "level_up"\ngive = [{ reward = "gold", amount = "1.00" }]\n'
)
# Each point, and whether somebody has paid these players without counting before.
COUNTED_POINTS = (
    "counting: made anew", "counting: written",
    "party: handed over", "party: before COMMIT", "ranking: before COMMIT",
    "own deliveries: put, after COMMIT", "own deliveries: paid, not noted",
)  # fmt: skip
# Bob votes on four days, twice on the last, Eve on two: 12 votes, two rounds, Bob is first.
VOTES = [
    {"id": f"{name}-{number}", "nickname": name, "occurred_at": NOVEMBER + day * DAY + number}
    for number, (name, day) in enumerate(
        [("Bob", 0), ("Eve", 0), ("Bob", 1), ("Eve", 1), ("Bob", 2), ("Bob", 3), ("Bob", 3),
         ("Eve", 5), ("Bob", 5), ("Eve", 7), ("Bob", 7), ("Bob", 8)]
    )
]  # fmt: skip
# Bob: 8 votes, so 2 by threes; days 0 to 3 and 7 to 8 in rows: 3 by twos; both parties; the month.
GOLD = {"Bob": "1232.00", "Eve": "211.00"}


def run_alone(config: Path, now: int, batches: list[Any], points: Path) -> int:
    """The exit code of a process that pays these votes and serves the boxes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.world.paying_alone", str(config), str(now)], cwd=ROOT,
        input=json.dumps(batches), text=True, check=False, capture_output=True, timeout=120,
        env=os.environ | {VARIABLE: str(points)},
    )  # fmt: skip
    assert done.returncode <= 0, done.stderr[-3000:]
    return done.returncode


@pytest.fixture
def points(tmp_path: Path) -> Path:
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


@pytest.fixture
def guerdon(open_service: Callable[..., Guerdon]) -> Guerdon:
    guerdon = open_service(rewards=RULES)
    add_player(guerdon, "Eve")
    return guerdon


def finish(guerdon: Guerdon, points: Path) -> None:
    """All again, in November and when it is over; then the books are judged."""
    config = guerdon.config.path
    batches = [VOTES[:5], VOTES[5:]]
    for days in (10, 40, 41):
        assert run_alone(config, NOVEMBER + days * DAY, batches, points) == 0
    assert read_books(guerdon).gold == GOLD
    assert guerdon.bookkeeping.recounter.verify() == []
    with guerdon.database.connection_context():
        waiting = guerdon.database.execute_sql(
            "SELECT type, event_id, last_error FROM guerdon_inbox WHERE state <> 'settled'"
        ).fetchall()
    assert list(waiting) == []


def test_it_works(guerdon: Guerdon, points: Path) -> None:
    """Without a kill."""
    finish(guerdon, points)


@pytest.mark.parametrize("point", COUNTED_POINTS)
def test_a_kill_pays_nothing_twice_and_loses_nothing(
    guerdon: Guerdon, write_config: Callable[..., Path], points: Path, point: str
) -> None:
    config = guerdon.config.path
    november, december = NOVEMBER + 10 * DAY, NOVEMBER + 40 * DAY
    batches: list[Any] = [VOTES[:5], VOTES[5:]]
    if point.endswith("made anew"):
        assert run_alone(config, november, batches[:1], points) == 0
        make_stale(guerdon)
    (points / point).touch()

    killed = run_alone(config, november, batches, points)
    if not killed:
        killed = run_alone(config, december, batches, points)

    assert killed < 0
    finish(guerdon, points)


BOXES = """
[[rules]]
name = "boxes"
on = "server.vote"
party = { every = 2 }
give = [{ reward = "claim", payload = { command = "give {nickname} box 1" } }]
"""
# Of a round with a voter whose name no command may hold: it is put into the inbox.
PUT_POINTS = (
    "party: before COMMIT", "own deliveries: put, after COMMIT", "own deliveries: paid, not noted",
)  # fmt: skip


@pytest.mark.parametrize("point", PUT_POINTS)
def test_a_kill_of_who_puts_a_round_into_the_inbox_pays_nothing_twice(
    open_service: Callable[..., Guerdon], points: Path, point: str
) -> None:
    guerdon = open_service(rewards=BOXES)
    add_player(guerdon, "Bad Name")
    batches = [
        [{"id": name, "nickname": name, "server_id": "1", "occurred_at": NOVEMBER}
         for name in ("Bob", "Bad Name")]
    ]  # fmt: skip
    (points / point).touch()

    killed = run_alone(guerdon.config.path, NOVEMBER + 10 * DAY, batches, points)

    assert killed < 0
    for days in (11, 12):
        assert run_alone(guerdon.config.path, NOVEMBER + days * DAY, batches, points) == 0
    with guerdon.database.connection_context():
        ask = guerdon.database.execute_sql
        claims = ask("SELECT nickname FROM guerdon_claims").fetchall()
        waiting = ask("SELECT last_error FROM guerdon_inbox WHERE state <> 'settled'").fetchall()
        rounds = ask("SELECT round FROM guerdon_party_votes").fetchall()
    assert list(claims) == [("Bob",)]
    assert ["Bad Name" in reason for (reason,) in waiting] == [True]
    assert list(rounds) == [(1,), (1,)]


def make_stale(guerdon: Guerdon) -> None:
    """As somebody leaves it who pays without counting."""
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_turns SET version = version + 1")
