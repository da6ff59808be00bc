"""Leases: one owner at a time, and whoever lost one changes nothing any more."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.database import leases
from app.database.leases import MAX_TAKES, Lease, finish_lease, take_leases
from app.database.models import Claim
from app.guerdon import Guerdon
from app.paying.claims import acknowledge_claim, queue_claims
from app.porch.errors import BadClaim
from app.porch.types import Event, Player
from app.testing.clock import Clock
from tests.world.books import run_apart

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


def test_what_another_leased_since_it_was_listed_is_not_taken(
    guerdon: Guerdon, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who meet after they have listed the same rows; here one's list is as old as can be."""
    monkeypatch.setattr(leases, "list_first", lambda *args: [1, 2, 3])
    first = take(3)

    assert take(3).ids == ()

    assert first.ids == (1, 2, 3)
    for id in first.ids:
        row = read(guerdon, id)
        assert (row.lease_token, row.takes) == (first.token, 1)


@pytest.mark.on_servers
def test_of_two_who_list_the_same_rows_one_gets_them(
    guerdon: Guerdon, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second takes and commits between the first one's list and its update; SQLite lets nobody."""
    list_first, others, meetings = leases.list_first, list[Lease](), ["one"]

    def list_and_be_overtaken(model: Any, where: Any, order: Any, limit: int, *more: int) -> Any:
        listed = list_first(model, where, order, limit, *more)
        if guerdon.database.in_transaction() and limit == 3 and meetings:
            assert sorted(listed) == [1, 2, 3]
            meetings.clear()
            others.append(run_apart(take, 3))
        return listed

    monkeypatch.setattr(leases, "list_first", list_and_be_overtaken)

    mine = take(3)

    [other] = others
    assert other.ids == (1, 2, 3)
    assert len(mine.ids) == 3
    assert not set(mine.ids) & set(other.ids)


@pytest.mark.parametrize("lease", ["", None])
def test_nobody_ends_a_claim_that_was_never_leased(
    guerdon: Guerdon, take: Take, clock: Clock, lease: str | None
) -> None:
    with guerdon.database.connection_context(), pytest.raises(BadClaim) as refused:
        acknowledge_claim(guerdon.database, 1, lease, clock.now)

    assert refused.value.status == 409
    assert (read(guerdon, 1).state, read(guerdon, 1).done_at) == ("ready", None)
    assert 1 in take().ids


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
    assert not finish(guerdon, id, new.token)  # it was ours, and is not any more
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
