"""Killed at every point between a site's list and the payment: what was missing is paid, and paid once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.failpoints import VARIABLE
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.deliveries import post_vote
from app.testing.vote_api import VoteApi
from tests.world.servers import ROOT
from tests.world.vote_list import VoteSite

RECONCILED_POINTS = (
    "reconciling: listed", "reconciling: parked, before COMMIT", "reconciling: parked, after COMMIT",
)  # fmt: skip
PAYING_POINTS = (
    "inbox: leased, after COMMIT", "delivery: fetched", "settling: after COMMIT",
    "inbox: tried, not noted", "inbox: noted, before COMMIT",
)  # fmt: skip
MINUTES = 120  # seconds: leases of who was killed have run out


def run_alone(guerdon: Guerdon, now: int, since: int, points: Path) -> int:
    """The exit code of a process that compares, heals and pays."""
    words = [str(guerdon.config.path), str(now), str(since)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.world.reconciling_alone", *words], cwd=ROOT, check=False,
        capture_output=True, text=True, timeout=120, env=os.environ | {VARIABLE: str(points)},
    )  # fmt: skip
    assert done.returncode <= 0, done.stderr[-3000:]
    return done.returncode


def test_it_works(guerdon: Guerdon, vote_api: VoteApi, clock: Clock, tmp_path: Path) -> None:
    """At each point two votes are missing, and after the kill one is delivered while it is compared again."""
    points = tmp_path / "points"
    points.mkdir()
    site, since, ids = VoteSite(vote_api, page_size=3), clock.now, []
    for number, point in enumerate((*RECONCILED_POINTS, *PAYING_POINTS)):
        clock.advance(MINUTES)
        mine: list[Any] = [f"v{number}-{part}" for part in range(2)]
        for id in mine:
            site.add(id, clock.now)
        ids += mine
        clock.advance(20 * 60)  # they are not on their way any more
        (points / point).touch()
        assert run_alone(guerdon, clock.now, since, points) < 0, point
        assert post_vote(guerdon, mine[0]).status_code == 204
        clock.advance(MINUTES)
        assert run_alone(guerdon, clock.now, since, points) == 0

    books = read_books(guerdon)
    assert (books.events, books.waiting) == (sorted(ids), {})
    assert (books.grants, books.gold["Bob"]) == (len(ids), f"{len(ids)}00.00")
