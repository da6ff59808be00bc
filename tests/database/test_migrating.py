"""Migrations: run twice, at once, killed and run again, they end at the tables of app/database/models.py."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.database import migrating
from app.database import opening as database
from app.database.clock import Clock
from app.database.migrating import LEASE, MigrationLock, hold_lock, list_pending
from app.database.models import LEDGER, OWN, bind_models
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import DatabaseUnavailable
from app.testing.deliveries import post_vote
from app.testing.waiting import wait_until
from tests.counting.test_counting import make_rule
from tests.world.servers import ROOT

LOCK = "SELECT holder, until FROM guerdon_migration_lock"
MIGRATE = """
from app.cli.main import main
from app.database import migrating
migrating.LEASE = {}
main(['migrate'])
"""


def start_migrate(config: Path, lease: int = LEASE) -> Any:
    """`guerdon migrate`; `lease` in ms."""
    environment = os.environ | {"GUERDON_CONFIG": str(config)}
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE.format(lease)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def bare(write_config: Callable[..., Path], clock: Any) -> Any:
    """A Guerdon whose database is still empty."""
    guerdon = open_guerdon(write_config(), clock)
    yield guerdon
    guerdon.close()


def describe(guerdon: Guerdon) -> dict[str, Any]:
    """Every table as the database itself describes it."""
    with guerdon.database.connection_context():
        run = guerdon.database.execute_sql
        if guerdon.database.family == "sqlite":
            rows = run("SELECT name, tbl_name, sql FROM sqlite_master").fetchall()
            return {
                # SQLite keeps no lengths: what a table was first made with may stay in its words.
                name: (name, table, re.sub(r"VARCHAR\(\d+\)", "VARCHAR", sql or ""))
                for name, table, sql in rows
                if not name.startswith("sqlite_")
            }
        return {
            table: run(f"SHOW CREATE TABLE {table}").fetchone()[1].split(" AUTO_INCREMENT=")[0]
            for table in guerdon.database.get_tables()
        }


def run_sql(guerdon: Guerdon, sql: str) -> None:
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(sql)


def drop_index(guerdon: Guerdon, table: str, index: str) -> None:
    on = f" ON {table}" if guerdon.database.family == "mysql" else ""
    run_sql(guerdon, f"DROP INDEX {index}{on}")


def create_first_tables(guerdon: Guerdon, count: int) -> None:
    """The first migration's tables, without indexes and record, as far as it came."""
    first = import_module("app.database.migrations.0001_ledger")
    tables = (first.Event, first.Grant, first.Waiting)[:count]
    bind_models(guerdon.database, tables)
    for table in tables:
        table._schema.create_table(safe=True)


def test_it_works(bare: Guerdon) -> None:
    assert "run `guerdon migrate`" in bare.inspect()[0]
    assert post_vote(bare, "v1").status_code == 503

    done = bare.migrate()

    assert done[0] == "migration 0001_ledger"
    assert "table players" in done
    assert "table guerdon_promo_codes" in done
    assert bare.inspect() == []
    schema = describe(bare)
    assert bare.migrate() == []
    assert describe(bare) == schema


def test_the_migrated_tables_are_those_of_the_models(
    bare: Guerdon, write_config: Any, clock: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    bare.migrate()
    migrated = describe(bare)
    bare.close()
    if bare.database.family == "sqlite":
        url = f"sqlite:///{tmp_path}/other.db"
    else:
        server = request.getfixturevalue("database_server")
        url = server.url(server.create_database())
    fresh = open_guerdon(write_config(url=url), clock)
    models = [*LEDGER, *OWN, *fresh.plugins.models]
    bind_models(fresh.database, models)
    with fresh.database.connection_context():
        fresh.database.create_tables(models)

    created = describe(fresh)

    fresh.close()
    assert len(created) >= 10
    for name, description in created.items():
        assert migrated[name] == description
    # Of migrations themselves: no model of the ledger, and on SQLite with the indexes' names too.
    ours = ("guerdon_migration", "guerdon_plugin_migrations")
    assert all(name.startswith(ours) for name in set(migrated) - set(created))


def test_without_its_own_players_no_table_of_players_is_made(
    open_service: Callable[..., Guerdon],
) -> None:
    guerdon = open_service(more='[players]\ntable = "users"')

    with guerdon.database.connection_context():
        assert "players" not in guerdon.database.get_tables()


@pytest.mark.parametrize("round", [1, 2])
def test_two_at_once_both_succeed(write_config: Any, clock: Any, round: int) -> None:
    path = write_config()

    processes = [start_migrate(path) for _ in range(2 + round)]
    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    said = [line for output, _ in outputs for line in output.splitlines()]
    assert said.count("migration 0001_ledger") == 1
    assert said.count("table players") == 1
    assert said.count("the tables are up to date") == len(processes) - 1
    guerdon = open_guerdon(path, clock)
    assert guerdon.inspect() == []
    guerdon.close()


@pytest.mark.parametrize(
    ("table", "index"),
    [
        ("guerdon_events", "event_ordered_key"),
        ("guerdon_inbox", "waiting_ordered_key"),
        ("guerdon_promo_codes", "promocode_pool_code"),
        ("players", "ownplayer_nickname"),
    ],
)
def test_a_lost_unique_index_is_reported_and_restored(
    bare: Guerdon, table: str, index: str
) -> None:
    bare.migrate()
    schema = describe(bare)
    drop_index(bare, table, index)

    [fault] = bare.inspect()
    assert f"the table {table} has no unique index on" in fault
    assert "guerdon migrate" in fault
    assert post_vote(bare, "v1").status_code == 503
    [done] = bare.migrate()
    assert done.startswith(f"index {table} (")
    assert bare.inspect() == []
    assert sorted(describe(bare)) == sorted(schema)


def test_any_lost_index_is_restored(bare: Guerdon) -> None:
    bare.migrate()
    drop_index(bare, "guerdon_grants", "grant_player_id_id")

    assert bare.migrate() == ["index guerdon_grants (player_id, id)"]
    assert bare.migrate() == []


def test_a_migration_killed_between_tables_and_indexes_is_completed(bare: Guerdon) -> None:
    """What a kill leaves where DDL commits by itself: some tables, without indexes, no record."""
    with bare.database.connection_context():
        create_first_tables(bare, 3)
    assert "run `guerdon migrate`" in bare.inspect()[0]

    done = bare.migrate()

    assert "index guerdon_grants (player_id, id)" in done
    assert bare.inspect() == []
    assert bare.migrate() == []


def test_a_lost_column_is_reported(bare: Guerdon) -> None:
    bare.migrate()
    run_sql(bare, "ALTER TABLE guerdon_grants RENAME COLUMN receipt TO other")

    assert bare.inspect() == ["the table guerdon_grants has no column receipt"]


def test_a_players_table_that_is_not_ours_is_left_as_it_is(bare: Guerdon) -> None:
    run_sql(bare, "CREATE TABLE players (id INTEGER PRIMARY KEY, nickname VARCHAR(20))")
    schema = describe(bare)

    bare.migrate()

    assert "is it your game's own? then name it in [players] table" in bare.inspect()[0]
    assert {name: describe(bare)[name] for name in schema} == schema
    if bare.database.family == "sqlite":
        assert not [row for row in describe(bare).values() if row[1] == "players"][1:]


def test_a_lock_left_by_a_kill_is_given_up_in_time(bare: Guerdon, clock: Any) -> None:
    bare.migrate()
    with bare.database.connection_context():
        MigrationLock.update(holder="somebody dead", until=clock() + LEASE).execute()
    drop_index(bare, "guerdon_grants", "grant_player_id_id")

    clock.advance(LEASE / 1000 + 1)

    assert bare.migrate() == ["index guerdon_grants (player_id, id)"]


def test_a_migration_waits_for_the_one_that_runs(
    bare: Guerdon, write_config: Any, clock: Any
) -> None:
    bare.migrate()
    until = time.time_ns() // 1_000_000 + LEASE
    with bare.database.connection_context():
        MigrationLock.update(holder="somebody alive", until=until).execute()
    drop_index(bare, "guerdon_grants", "grant_player_id_id")

    process = start_migrate(bare.config.path)
    assert "waiting for another migration to end" in process.stderr.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    with bare.database.connection_context():
        MigrationLock.update(holder="", until=0).execute()

    output, errors = process.communicate(timeout=30)
    assert output == "index guerdon_grants (player_id, id)\n"
    assert "waiting for another migration to end" not in errors


@pytest.mark.on_servers
def test_a_migration_that_takes_longer_than_a_lease_is_waited_for(
    bare: Guerdon, write_config: Callable[..., Path], database_server: Any
) -> None:
    """Its last index is the one that rules need which count."""
    bare.migrate()
    drop_index(bare, "guerdon_grants", "grant_player_id_id")
    write_config(rewards=make_rule("third", "count = { every = 3 }"))
    reader = database_server.connect(bare.database.database)
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM guerdon_events")
        first = start_migrate(bare.config.path, 1500)
        waiting = "SELECT 1 FROM information_schema.processlist WHERE state LIKE %s"
        wait_until(lambda: database_server.run(waiting, ("%metadata lock%",)))
        second = start_migrate(bare.config.path, 1500)
        assert "waiting for another migration" in second.stderr.readline()
        time.sleep(4)
        assert first.poll() is None
        assert second.poll() is None
        cursor.execute("COMMIT")
    reader.close()

    indexes = "index guerdon_grants (player_id, id)\nindex guerdon_events (player_id, id)\n"
    for process, said in ((first, indexes), (second, "the tables are up to date\n")):
        output, errors = process.communicate(timeout=60)
        assert (output, process.returncode) == (said, 0), errors


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_step_that_writes_for_longer_than_the_lock_lasts_is_waited_for(
    bare: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite nobody can renew the lock beside it, and nobody take it."""
    bare.migrate()
    with bare.database.connection_context():
        MigrationLock.update(holder="who writes", until=0).execute()
    monkeypatch.setattr(database, "LOCK_PATIENCE", 0.01)
    writer = sqlite3.connect(bare.database.database, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    ended = threading.Timer(2, writer.rollback)
    ended.start()

    assert bare.migrate() == []

    ended.join()
    writer.close()


def test_who_lost_the_lock_does_nothing_more(bare: Guerdon, clock: Any) -> None:
    bare.migrate()
    with bare.database.connection_context(), hold_lock(bare.database, clock) as keep:
        keep()
        MigrationLock.update(holder="another").execute()
        with pytest.raises(DatabaseUnavailable, match="another migration took over"):
            keep()
    with bare.database.connection_context():
        assert MigrationLock.get().holder == "another"


def test_a_lock_left_by_a_kill_is_given_up_though_the_clock_was_set_back(
    bare: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.migrate()
    bare.now = Clock()
    monkeypatch.setattr(migrating, "LEASE", 300)
    with bare.database.connection_context():
        MigrationLock.update(holder="somebody dead", until=bare.now() + 3 * 86_400_000).execute()

    assert bare.migrate() == []


@pytest.mark.on_servers
def test_a_killed_migration_is_completed_by_the_next(
    bare: Guerdon, clock: Any, database_server: Any
) -> None:
    """A real kill -9 in the middle: it waits for a table that somebody reads."""
    with bare.database.connection_context():
        create_first_tables(bare, 1)
    reader = database_server.connect(bare.database.database)
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM guerdon_events")
        process = start_migrate(bare.config.path)
        waiting = "SELECT 1 FROM information_schema.processlist WHERE state LIKE %s"
        wait_until(lambda: database_server.run(waiting, ("%metadata lock%",)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cursor.execute("COMMIT")
    reader.close()
    [(holder, until)] = database_server.run(LOCK, database=bare.database.database)
    assert holder
    assert bare.inspect()

    clock.now = until + 1
    bare.migrate()

    assert bare.inspect() == []
    with bare.database.connection_context():
        assert list_pending(bare.database) == []
    assert database_server.run(LOCK, database=bare.database.database) == (("", 0),)


@pytest.mark.on_servers
def test_on_a_server_every_table_is_innodb_utf8mb4_and_binary(
    bare: Guerdon, database_server: Any
) -> None:
    bare.migrate()
    tables = database_server.run(
        "SELECT table_name, engine, table_collation FROM information_schema.tables"
        " WHERE table_schema = %s", (bare.database.database,),
    )  # fmt: skip

    ours = {row for row in tables if row[0] != "guerdon_migrations"}
    assert len(ours) >= 10
    assert {row[1:] for row in ours} == {("InnoDB", "utf8mb4_bin")}


@pytest.mark.on_servers
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "has the collation"),
        ("ENGINE=MyISAM", "is MyISAM, not InnoDB"),
    ],
)
def test_a_table_changed_by_hand_is_reported(bare: Guerdon, change: str, fault: str) -> None:
    bare.migrate()
    run_sql(bare, f"ALTER TABLE guerdon_attempts {change}")

    [found] = bare.inspect()
    assert "guerdon_attempts" in found
    assert fault in found
