"""The ledger counted by the hour is the ledger: whoever is killed, comes late, or counts beside others."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.database.models import Event, Grant
from app.database.number_models import BlockRow, HourRow
from app.database.opening import open_database
from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.numbers.rolling import SURE_AFTER, Roller
from app.numbers.tallies import HOUR
from app.testing.clock import Clock
from tests.numbers.ledger import check_numbers, make_event, make_grant, write_ledger
from tests.world.servers import ROOT

MINUTE = 60_000  # ms
NUMBERED_POINTS = tuple(point for point in POINTS if point.startswith("numbers: "))
START = 1_800_000_000_000 - 200 * HOUR


def roll(guerdon: Guerdon, clock: Clock, ids_at_once: int = 40) -> None:
    """A whole look of a host that has none behind it."""
    roller = Roller(guerdon.database, clock, ids_at_once)
    roller.roll(60)
    roller._lease.let_go()


def write(guerdon: Guerdon, *args: int) -> None:
    with guerdon.database.connection_context():
        write_ledger(guerdon, *args)


def count_for_ever(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        rows = HourRow.select().where((HourRow.what == "events") & (HourRow.step == 0))
        return sum(row.number for row in rows)


def test_it_works(guerdon: Guerdon, clock: Clock) -> None:
    write(guerdon, 150, clock.now, 60)
    check_numbers(guerdon, START, clock.now)  # from the ledger alone

    blocks = []
    for minutes in (0, 30, 100, 300, 20 * 60, 30 * 60, 30 * 60):
        clock.advance(minutes * 60)
        roll(guerdon, clock)
        check_numbers(guerdon, START, clock.now)
        with guerdon.database.connection_context():
            blocks.append(BlockRow.select().count())
        write(guerdon, 12, clock.now, 1)
        check_numbers(guerdon, START, clock.now)
    assert count_for_ever(guerdon) > 180
    assert max(blocks) > 8
    assert blocks[-1] == 0


def test_an_old_ledger_is_counted_a_little_at_a_time(guerdon: Guerdon, clock: Clock) -> None:
    write(guerdon, 120, clock.now - SURE_AFTER - HOUR, 90)
    roller = Roller(guerdon.database, clock, 10)

    for turn in range(300):
        roller.roll(0)
        if turn % 5 == 0:
            check_numbers(guerdon, START, clock.now)
        if count_for_ever(guerdon) == 120:
            break
    assert turn > 5


@pytest.mark.parametrize("point", NUMBERED_POINTS)
def test_a_kill_changes_nothing(
    guerdon: Guerdon, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    write(guerdon, 100, clock.now, 60)
    points = tmp_path / "points"
    points.mkdir()
    monkeypatch.setenv(VARIABLE, str(points))
    for turn in range(3):
        clock.advance(turn * 20 * 3600)
        write(guerdon, 20, clock.now - HOUR, 1)
        (points / point).touch()
        command = [sys.executable, "-m", "tests.world.rolling_alone", str(guerdon.config.path)]
        done = subprocess.run([*command, str(clock.now)], cwd=ROOT, check=False)

        assert done.returncode == -9
        check_numbers(guerdon, START, clock.now)
    for _ in range(2):
        clock.advance(30 * 3600)
        roll(guerdon, clock)
    check_numbers(guerdon, START, clock.now)
    assert count_for_ever(guerdon) == 160


def test_two_hosts_count_each_row_once(
    guerdon: Guerdon, clock: Clock, write_config: Callable[..., Path]
) -> None:
    """Also where both believe that it is their turn, as after one was stopped in the middle."""
    write(guerdon, 150, clock.now, 80)
    rollers = [Roller(guerdon.database, clock, 10) for _ in range(4)]
    for roller in rollers:
        roller._lease.hold = lambda: True  # type: ignore[method-assign]

    def count(roller: Roller) -> None:
        for _ in range(6):
            roller.roll(30)
            roller._next_look = 0
        guerdon.database.close()

    threads = [threading.Thread(target=count, args=(roller,)) for roller in rollers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    check_numbers(guerdon, START, clock.now)
    clock.advance(30 * 3600)
    roll(guerdon, clock)
    assert count_for_ever(guerdon) == 150


@pytest.mark.on_servers
def test_what_becomes_visible_late_is_counted(guerdon: Guerdon, clock: Clock) -> None:
    """Its ids were given while others were counted, and counted again, past them."""
    write(guerdon, 30, clock.now - HOUR, 5)
    other = open_database(guerdon.config.database.url)
    with other.connection_context():
        other.begin()
        event = make_event(5_000, clock.now)
        marks = ", ".join(["%s"] * len(event))
        sql = f"INSERT INTO guerdon_events ({', '.join(event)}) VALUES ({marks})"
        other.execute_sql(sql, list(event.values()))
        grant = make_grant(31, "late", clock.now)
        marks = ", ".join(["%s"] * len(grant))
        sql = f"INSERT INTO guerdon_grants (`{'`, `'.join(grant)}`) VALUES ({marks})"
        other.execute_sql(sql, list(grant.values()))
        with guerdon.database.connection_context():
            Event.insert(**make_event(6_000, clock.now)).execute()
        for hours in (1, 3, 10):
            clock.advance(hours * 3600)
            roll(guerdon, clock)
            check_numbers(guerdon, START, clock.now)
        other.commit()
    other.close_all()
    clock.advance(20 * 3600)
    roll(guerdon, clock)

    check_numbers(guerdon, START, clock.now)
    assert count_for_ever(guerdon) == 32
    with guerdon.database.connection_context():
        late = Grant.get(Grant.rule == "late")
        assert late.id < 10**6


def test_a_clock_that_was_wrong_loses_nothing(guerdon: Guerdon, clock: Clock) -> None:
    write(guerdon, 30, clock.now, 5)
    clock.advance(400 * 86400)
    roll(guerdon, clock)
    with guerdon.database.connection_context():
        Event.insert(**make_event(5_000, clock.now)).execute()
    roll(guerdon, clock)
    clock.advance(-399 * 86400)
    write(guerdon, 30, clock.now, 5)
    for _ in range(4):
        roll(guerdon, clock)
        clock.advance(20 * 3600)

    check_numbers(guerdon, START, clock.now + 500 * 24 * HOUR)
    assert count_for_ever(guerdon) == 61


def test_the_lease_is_one_host_s(
    guerdon: Guerdon, clock: Clock, write_config: Callable[..., Path]
) -> None:
    write(guerdon, 20, clock.now - HOUR, 5)
    first, second = (Roller(guerdon.database, clock) for _ in range(2))
    first.roll(60)
    write(guerdon, 20, clock.now + HOUR, 1)

    clock.advance(2 * 3600)  # the first one's lease has run out
    assert second._lease.hold()
    first.roll(60)
    with guerdon.database.connection_context():
        assert [row.last for row in BlockRow.select().where(BlockRow.what == "events")] == [20]
    second.roll(60)
    with guerdon.database.connection_context():
        assert BlockRow.select().where(BlockRow.last == 40).exists()
