"""The lock that migrations take turns by: nobody waits for one that has ended."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.database import migrating, opening
from app.database.clock import Clock
from app.database.migrating import MigrationLock, hold_lock, make_lock, wait_for_lock
from app.database.opening import open_database
from app.guerdon import Guerdon
from app.testing.deliveries import post_vote
from app.testing.waiting import wait_until

WAITING = "SELECT 1 FROM information_schema.processlist WHERE state LIKE '%%metadata lock%%'"


@pytest.fixture
def guerdon(open_service: Any) -> Iterator[Guerdon]:
    guerdon: Guerdon = open_service()
    with guerdon.database.connection_context():
        yield guerdon


def read_holder() -> str:
    return str(MigrationLock.get_by_id(1).holder)


def test_it_works(guerdon: Guerdon) -> None:
    with hold_lock(guerdon.database, guerdon.now) as keep:
        keep()
        assert read_holder() != ""

    assert read_holder() == ""


@pytest.mark.on_servers
def test_it_is_given_up_by_another_connection_where_that_of_the_migration_is_lost(
    guerdon: Guerdon, database_server: Any
) -> None:
    with hold_lock(guerdon.database, guerdon.now):
        [(mine,)] = guerdon.database.execute_sql("SELECT CONNECTION_ID()").fetchall()
        database_server.run(f"KILL {mine}")

    assert read_holder() == ""


def test_it_is_ours_where_we_were_not_told_that_we_got_it(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LEASE", 1000)
    MigrationLock.update(holder="us", until=guerdon.now() + 1000).execute()

    with capture_logs() as logs:
        wait_for_lock(guerdon.database, Clock(), "us")

    assert logs == []
    assert read_holder() == "us"


@pytest.mark.on_servers
@pytest.mark.parametrize("patient", [True, False])
def test_a_table_that_is_held_up_is_waited_for(
    patient: bool, guerdon: Guerdon, database_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a table that another node of a cluster changes; also by who may not wait for long."""
    monkeypatch.setattr(opening, "LOCK_WAIT", 1)
    make_lock(guerdon.database)
    guerdon.database.close_all()
    done = threading.Event()

    def wait() -> None:
        if patient:
            guerdon.migrate()
        else:
            wait_for_lock(guerdon.database, Clock(), "us")
        done.set()

    other = database_server.connect(guerdon.database.database)
    with other.cursor() as cursor, capture_logs() as logs:
        cursor.execute("LOCK TABLES guerdon_migration_lock WRITE")
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: database_server.run(WAITING) if patient else logs)
        assert not done.is_set()
        cursor.execute("UNLOCK TABLES")
        thread.join(10)
    other.close()

    assert done.is_set()
    assert [one["event"] for one in logs] == ["waiting for another migration to end"][patient:]


@pytest.mark.on_servers
def test_votes_are_paid_while_a_change_waits_for_who_reads_the_table(
    guerdon: Guerdon, database_url: str, vote_api: Any
) -> None:
    """As a dump does. A change that just waited would have every vote behind it wait too, and fail."""
    changes = "ALTER TABLE guerdon_events ADD COLUMN probe INTEGER"

    def change() -> None:
        with database.connection_context():
            database.begin_long_statements()
            database.execute_sql(changes)
            database.drop_connection()

    database, other, paid = open_database(database_url), open_database(database_url), []
    waiting = threading.Thread(target=change)
    with other.connection_context():
        other.begin()
        other.execute_sql("SELECT COUNT(*) FROM guerdon_events").fetchall()
        waiting.start()
        wait_until(lambda: guerdon.database.execute_sql(WAITING).fetchone())
        for number in range(8):
            paid.append(post_vote(guerdon, f"v{number}").status_code)
            time.sleep(0.5)  # it waits twice meanwhile
        assert waiting.is_alive()
        other.rollback()
    waiting.join()

    assert paid == [204] * 8
    guerdon.database.execute_sql("SELECT probe FROM guerdon_events").fetchall()
