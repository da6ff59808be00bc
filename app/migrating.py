"""Creates and upgrades the tables, under a lock of our own: two at once take turns.

GET_LOCK is given to two nodes of a Galera cluster at once; a row changed by compare-and-set is not.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from peewee import BigIntegerField, CharField, IntegerField, IntegrityError, Model
from playhouse.migrations import Runner

from app.database import Database
from app.errors import DatabaseUnavailable
from app.models import LEDGER, OWN, bind_models

log = structlog.get_logger()

DIRECTORY = Path(__file__).parent / "migrations"
LEASE = 300_000  # ms after which a migration that was killed gives up its lock
PATIENCE = 330.0  # seconds to wait for another migration: longer than one that was killed holds on


class MigrationLock(Model):
    id = IntegerField(primary_key=True)
    holder = CharField(32)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_migration_lock"


def make_runner(database: Database) -> Runner:
    return Runner(database, str(DIRECTORY), table_name="guerdon_migrations")


def list_pending(database: Database) -> list[str]:
    """The names of the migrations this database still needs."""
    return [m.name for m in make_runner(database).status() if not m.applied and m.path]


def migrate(
    database: Database, plugin_models: Sequence[Any], with_players: bool, now: Callable[[], int]
) -> list[str]:
    """Bring every table up to date and return what was done, one line each; safe to run at any time."""
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)
    models = [*plugin_models, *(OWN if with_players else ())]
    with database.connection_context():
        try:
            with hold_lock(database, now):
                return list(bring_up_to_date(database, models))
        finally:
            database.drop_connection()  # it was set up to be patient


def bring_up_to_date(database: Database, models: Sequence[Any]) -> Iterator[str]:
    """Run what is pending, then make the tables and indexes that are missing; name each."""
    database.begin_long_statements()
    for name in make_runner(database).up():
        yield f"migration {name}"
    bind_models(database, [*LEDGER, *models])
    for model in models:
        if create_table(database, model):
            yield f"table {model._meta.table_name}"
    for model in (*LEDGER, *models):
        for name in create_missing_indexes(database, model):
            yield f"index {name}"


@contextmanager
def hold_lock(database: Database, now: Callable[[], int]) -> Iterator[None]:
    """Wait for our turn to migrate; raises DatabaseUnavailable after PATIENCE seconds."""
    bind_models(database, [MigrationLock])
    database.create_tables([MigrationLock], safe=True)
    row = MigrationLock.insert(id=1, holder="", until=0)
    with suppress(IntegrityError):  # it is there already
        database.transact(lambda attempt: row.execute())  # another node may insert it too
    holder = secrets.token_hex(16)
    deadline = time.monotonic() + PATIENCE

    def take(attempt: int) -> bool:
        free = (MigrationLock.id == 1) & (
            (MigrationLock.until < now()) | (MigrationLock.holder == holder)
        )
        changes = MigrationLock.update(holder=holder, until=now() + LEASE)
        return bool(changes.where(free).execute())

    is_told = False
    while not database.transact(take):
        if not is_told:
            log.warning("waiting for another migration to end", seconds=PATIENCE)
            is_told = True
        if time.monotonic() > deadline:
            raise DatabaseUnavailable("another migration has been running for five minutes")
        time.sleep(0.1)
    try:
        yield
    finally:
        mine = (MigrationLock.id == 1) & (MigrationLock.holder == holder)
        MigrationLock.update(until=0, holder="").where(mine).execute()


def create_table(database: Database, model: Any) -> bool:
    """Create a model's table if it is missing; True if it was."""
    if database.table_exists(model._meta.table_name):
        return False
    model._schema.create_table(safe=True)
    return True


def create_missing_indexes(database: Database, model: Any) -> Iterator[str]:
    """Create what a migration killed between a table and its indexes left out, and name it.

    A table without our columns is somebody else's: it stays as it is, and `guerdon check` says so.
    """
    table = model._meta.table_name
    columns_there = {column.name for column in database.get_columns(table)}
    if not columns_there.issuperset(field.column_name for field in model._meta.sorted_fields):
        return
    present = {(tuple(index.columns), index.unique) for index in database.get_indexes(table)}
    for index in model._meta.fields_to_index():
        columns = tuple(field.column_name for field in index._expressions)
        if (columns, bool(index._unique)) not in present:
            database.execute(index.safe(False))
            yield f"{table} ({', '.join(columns)})"
