"""Bulk commands work in small transactions: deliveries are paid while they run."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from app.database.chunks import ROWS_AT_ONCE, run_in_chunks
from app.database.models import Attempt, Waiting
from app.guerdon import Guerdon
from app.testing.clock import Clock
from app.testing.deliveries import post_vote

DEAD = 3 * ROWS_AT_ONCE + 7


def fill_inbox(guerdon: Guerdon, count: int) -> None:
    """So many dead events."""
    row = {
        "source": "gamemonitoring", "type": "server.vote", "token": "", "data": "{}", "state": "dead",
        "due_at": 0, "lease_token": "", "lease_until": 0, "takes": 0, "attempts": 1, "retries": 9,
        "last_error": "nobody", "received_at": 0, "waiting_since": 0,
    }  # fmt: skip
    rows = [row | {"ordered_key": n.to_bytes(32, "big"), "event_id": f"d{n}"} for n in range(count)]
    with guerdon.database.connection_context(), guerdon.database.atomic():
        for start in range(0, count, 500):
            Waiting.insert_many(rows[start : start + 500]).execute()


def count_ready(guerdon: Guerdon) -> tuple[int, int]:
    with guerdon.database.connection_context():
        ready = Waiting.select().where(Waiting.state == "ready", Waiting.due_at == 0).count()
        return ready, Attempt.select().where(Attempt.what == "retry by hand").count()


def test_it_works(guerdon: Guerdon, clock: Clock) -> None:
    fill_inbox(guerdon, DEAD)
    shown: list[int] = []

    def progress(chunks: Sequence[Any]) -> Iterator[Any]:
        for chunk in chunks:
            shown.append(len(chunk))
            yield chunk

    assert guerdon.inbox.revive(None, progress) == DEAD

    assert shown == [ROWS_AT_ONCE] * 3 + [7]
    assert count_ready(guerdon) == (DEAD, DEAD)
    assert guerdon.inbox.revive(None) == 0


def test_a_delivery_is_paid_in_the_middle_of_it(guerdon: Guerdon) -> None:
    """Between two chunks nothing is held: what comes then is paid before the rest goes on."""
    fill_inbox(guerdon, DEAD)
    statuses: list[int] = []

    def progress(chunks: Sequence[Any]) -> Iterator[Any]:
        for number, chunk in enumerate(chunks):
            statuses.append(post_vote(guerdon, f"v{number}").status_code)
            yield chunk

    assert guerdon.inbox.revive(None, progress) == DEAD
    assert statuses == [204] * 4


def test_deliveries_beside_it_are_paid_while_it_runs(
    guerdon: Guerdon, read_gold: Callable[..., str]
) -> None:
    fill_inbox(guerdon, 20 * ROWS_AT_ONCE)
    counts: list[int] = []
    bulk = threading.Thread(target=lambda: counts.append(guerdon.inbox.revive(None)))
    bulk.start()
    statuses = []
    while bulk.is_alive():
        statuses.append(post_vote(guerdon, f"v{len(statuses)}").status_code)
    bulk.join()

    assert counts == [20 * ROWS_AT_ONCE]
    assert statuses
    assert set(statuses) == {204}
    assert read_gold() == f"{100 * len(statuses)}.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_chunk_is_a_transaction_of_its_own_and_takes_a_breath(guerdon: Guerdon) -> None:
    inside: list[bool] = []
    began = time.monotonic()

    def change(some: Sequence[int]) -> int:
        inside.append(guerdon.database.is_guarded)
        if some[0] == ROWS_AT_ONCE:
            raise KeyError("in the second")
        return len(some)

    with pytest.raises(KeyError):
        run_in_chunks(guerdon.database, range(DEAD), change)

    assert inside == [True, True]
    assert time.monotonic() - began > 0.02
