"""Leases: one owner at a time, and whoever lost one changes nothing any more."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.claims import queue_claims
from app.guerdon import Guerdon
from app.hookspecs import Event, Player
from app.leases import MAX_TAKES, Lease, finish_lease, take_leases
from app.models import Claim
from tests.conftest import Clock

MINUTE = 60_000  # ms
Take = Callable[..., Lease]


@pytest.fixture
def take(guerdon: Guerdon, clock: Clock) -> Take:
    """Lease claims of server 1 for a minute; ten of them wait."""
    event, player = Event("test", "test", "1", server_id="1"), Player(1, "Bob")
    with guerdon.database.connection_context():
        queue_claims([(event, player, {})] * 10, clock.now)

    def take_some(limit: int = 10, **options: Any) -> Lease:
        with guerdon.database.connection_context():
            mine = Claim.server_id == "1"
            return take_leases(
                guerdon.database, Claim, mine, Claim.id, limit, clock.now, MINUTE, **options
            )

    return take_some


def finish(guerdon: Guerdon, id: int, token: str, **changes: object) -> bool:
    with guerdon.database.connection_context():
        return finish_lease(guerdon.database, Claim, id, token, changes or {"state": "done"})


def read(guerdon: Guerdon, id: int) -> Claim:
    with guerdon.database.connection_context():
        row: Claim = Claim.get_by_id(id)
        return row


def test_it_works(guerdon: Guerdon, take: Take) -> None:
    lease = take(3)

    assert len(lease.ids) == 3
    assert list(lease.ids) == sorted(lease.ids)
    assert finish(guerdon, lease.ids[0], lease.token)
    assert read(guerdon, lease.ids[0]).state == "done"
    assert read(guerdon, lease.ids[1]).state == "leased"


def test_a_row_has_one_owner_however_many_want_it(guerdon: Guerdon, take: Take) -> None:
    leases: list[Lease] = []
    barrier = threading.Barrier(6)

    def race() -> None:
        barrier.wait()
        for _ in range(4):
            leases.append(take(3))

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    owned = [id for lease in leases for id in lease.ids]
    assert len(owned) == len(set(owned)) == 10


def test_a_lease_holds_until_its_end_and_not_longer(take: Take, clock: Clock) -> None:
    first = take()
    clock.now = first.until
    assert take().ids == ()

    clock.now += 1
    second = take()

    assert second.ids == first.ids
    assert second.token != first.token


def test_who_lost_the_lease_changes_nothing(guerdon: Guerdon, take: Take, clock: Clock) -> None:
    old = take()
    clock.now = old.until + 1
    new = take()
    id = old.ids[0]

    assert not finish(guerdon, id, old.token)
    assert read(guerdon, id).lease_token == new.token
    assert finish(guerdon, id, new.token)
    assert not finish(guerdon, id, new.token, state="ready")
    assert not finish(guerdon, id, "")
    assert read(guerdon, id).state == "done"


def test_a_row_that_nobody_finishes_is_dead_after_twenty_takes(
    guerdon: Guerdon, take: Take, clock: Clock
) -> None:
    sizes = []
    while (lease := take()).ids:
        sizes.append(len(lease.ids))
        clock.now = lease.until + 1

    row = read(guerdon, 1)
    assert (row.state, row.takes) == ("dead", MAX_TAKES)
    assert not finish(guerdon, 1, row.lease_token)
    # Whoever may be what ends its worker is soon tried alone, and takes no other along.
    assert sizes == [10, 10] + [1] * 10 * (MAX_TAKES - 2)


def test_what_is_noted_is_one_commit_with_the_lease(guerdon: Guerdon, take: Take) -> None:
    def note(rows: list[Any]) -> list[Any]:
        Claim.update(nickname="noted").where(Claim.id << [row.id for row in rows]).execute()
        if len(rows) > 3:
            raise LookupError
        return rows

    with pytest.raises(LookupError):
        take(4, note=note)
    row = read(guerdon, 1)
    assert (row.state, row.takes, row.nickname) == ("ready", 0, "Bob")

    lease = take(3, note=note)

    for id in range(1, 5):
        row = read(guerdon, id)
        is_ours = id in lease.ids
        assert (row.state == "leased", row.nickname == "noted") == (is_ours, is_ours)
    assert len(lease.ids) == 3


def test_what_the_note_ends_is_not_ours(guerdon: Guerdon, take: Take) -> None:
    def note(rows: list[Any]) -> list[Any]:
        Claim.update(state="dead").where(Claim.id == rows[0].id).execute()
        return rows[1:]

    lease = take(3, note=note)

    assert lease.ids == (2, 3)
    assert read(guerdon, 1).state == "dead"


def test_a_death_leaves_what_it_was_told_to(guerdon: Guerdon, take: Take, clock: Clock) -> None:
    death = {"nickname": "gone"}
    first = take(1, max_takes=1, death=death)
    assert read(guerdon, 1).nickname == "Bob"
    clock.now = first.until + 1

    second = take(1, max_takes=1, death=death)

    assert second.ids == (2,)
    row = read(guerdon, 1)
    assert (row.state, row.nickname) == ("dead", "gone")
