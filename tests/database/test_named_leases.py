"""A lease by a name: one holder at a time, whatever the clock does."""

import threading

from app.database.named_leases import NamedLease
from app.guerdon import Guerdon
from app.testing.clock import Clock

MINUTE = 60_000  # ms


def make(guerdon: Guerdon, clock: Clock, name: str = "work") -> NamedLease:
    return NamedLease(guerdon.database, name, clock, MINUTE)


def test_it_works(guerdon: Guerdon, clock: Clock) -> None:
    first, second = make(guerdon, clock), make(guerdon, clock)

    assert first.hold()
    assert not second.hold()
    assert make(guerdon, clock, "other work").hold()
    clock.advance(59)
    assert first.hold()  # for another minute
    clock.advance(59)
    assert not second.hold()
    clock.advance(2)
    assert second.hold()
    assert not first.hold()
    second.let_go()
    assert first.hold()
    second.let_go()  # it is not his
    assert not second.hold()


def test_a_clock_set_back_keeps_nobody_waiting(guerdon: Guerdon, clock: Clock) -> None:
    first, second = make(guerdon, clock), make(guerdon, clock)
    clock.advance(86_400)
    assert first.hold()
    clock.advance(-86_400)

    assert second.hold()


def test_of_many_who_want_it_one_has_it(guerdon: Guerdon, clock: Clock) -> None:
    leases = [make(guerdon, clock) for _ in range(6)]
    barrier, held = threading.Barrier(6), []

    def want(lease: NamedLease) -> None:
        barrier.wait()
        held.append(lease.hold())

    for _ in range(3):
        held.clear()
        threads = [threading.Thread(target=want, args=(lease,)) for lease in leases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(held) == 1
        clock.advance(3600)
