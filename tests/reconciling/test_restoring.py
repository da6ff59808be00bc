"""A restored ledger is behind: what was paid since the backup was undone with it, and is paid again, once."""

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.deliveries import post_vote
from app.testing.services import Services
from app.testing.vote_api import VoteApi
from tests.world.vote_list import VoteSite


def restore(guerdon: Guerdon, backup: Path, clock: Clock) -> Guerdon:
    """Stop it, put the backup in the place of its file, and start it again."""
    guerdon.close()
    place = Path(guerdon.config.database.url.removeprefix("sqlite:///"))
    for end in ("-wal", "-shm"):
        place.with_name(place.name + end).unlink(missing_ok=True)
    shutil.copy(backup, place)
    restored = open_guerdon(guerdon.config.path, clock)
    restored.migrate()
    return restored


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_works(
    guerdon_services: Services, vote_api: VoteApi, clock: Clock, tmp_path: Path
) -> None:
    site, guerdon = VoteSite(vote_api), guerdon_services.open()

    def vote(*ids: str) -> None:
        for id in ids:
            clock.advance(60)
            site.add(id, clock.now)
            assert post_vote(guerdon, id).status_code == 204

    vote("before-1", "before-2")
    place = guerdon.config.database.url.removeprefix("sqlite:///")
    with (
        closing(sqlite3.connect(place)) as live,
        closing(sqlite3.connect(tmp_path / "backup.db")) as copy,
    ):
        live.backup(copy)
    vote("after-1", "after-2")
    paid = read_books(guerdon)
    clock.advance(3600)

    restored = restore(guerdon, tmp_path / "backup.db", clock)
    assert read_books(restored).gold["Bob"] == "200.00"
    assert post_vote(restored, "after-1").status_code == 204  # somebody presses the button
    row = restored.reconciler.reconcile("gamemonitoring", heal=True).row
    with ThreadPoolExecutor(4) as pool:
        restored.dispatcher.serve_once(pool)

    assert (row.state, row.missing, row.healed) == ("done", 1, 1)
    assert read_books(restored)[:2] == paid[:2]
    assert read_books(restored).gold == paid.gold
    again = restored.reconciler.reconcile("gamemonitoring", heal=True).row
    assert (again.state, again.missing) == ("done", 0)
    restored.close()
