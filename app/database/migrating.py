"""Creates and upgrades the tables, under a lock of our own: two at once take turns.

GET_LOCK is given to two nodes of a Galera cluster at once; a row changed by compare-and-set is not.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from peewee import BigIntegerField, CharField, IntegerField, IntegrityError, Model, PeeweeException
from playhouse.migrations import Runner

from app.database.clock import Clock, make_clock
from app.database.error_kinds import ErrorKind, classify_error, concerns_all
from app.database.models import LEDGER, OWN, bind_models
from app.database.opening import Database
from app.database.plugin_tables import PluginTables, change_tables
from app.porch.errors import DatabaseUnavailable

log = structlog.get_logger()

DIRECTORY = Path(__file__).parent / "migrations"
LEASE = 300_000  # ms after which a migration that was killed gives up its lock
RENEWALS = 10  # within a lease
LOOK_EVERY = 0.1  # seconds, at a lock that another holds


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
    database: Database,
    plugins: Sequence[PluginTables],
    with_players: bool,
    now: Callable[[], int],
    add_indexes: Callable[[], Iterable[str]] = list,
    fill_in: Callable[[], Iterable[str]] = list,
) -> list[str]:
    """Bring every table up to date and return what was done, one line each; safe to run at any time.

    Within the lock as well, each naming what it did: `add_indexes` once our tables are there, with all the
    time that an index takes; then `fill_in`, in small transactions beside whoever is paid meanwhile.
    """
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)
    with database.connection_context():
        try:
            # In a Galera cluster even the lock is not to be read while another node changes a table.
            database.begin_long_statements()
            with hold_lock(database, now) as keep:
                done = list(bring_up_to_date(database, plugins, with_players, keep, now))
                keep()
                done += add_indexes()
                database.drop_connection()  # it was set up to be patient
                return done + list(fill_in())
        finally:
            database.drop_connection()


def bring_up_to_date(
    database: Database,
    plugins: Sequence[PluginTables],
    with_players: bool,
    keep: Callable[[], None],
    now: Callable[[], int],
) -> Iterator[str]:
    """Run what is pending of ours, then of plugins; make tables and indexes that are missing. Name each.

    `keep` is called before each step, and raises where the lock is somebody else's by now.
    """
    database.begin_long_statements()
    for pending in list_pending(database):
        keep()
        for name in make_runner(database).up(pending):
            yield f"migration {name}"
    models = [*(model for one in plugins for model in one.models), *(OWN if with_players else ())]
    bind_models(database, [*LEDGER, *models])
    yield from change_tables(database, plugins, keep, now)
    for model in models:
        keep()
        if create_table(database, model):
            yield f"table {model._meta.table_name}"
    for model in (*LEDGER, *models):
        keep()
        for name in create_missing_indexes(database, model):
            yield f"index {name}"
            keep()


@contextmanager
def hold_lock(database: Database, now: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """Wait for our turn to migrate, however long another takes; then the lock is renewed until the end.

    Gives what raises DatabaseUnavailable where the lock is somebody else's by now.
    """
    make_lock(database)
    holder, ended = secrets.token_hex(16), threading.Event()
    wait_for_lock(database, make_clock(now), holder)
    renewing = threading.Thread(
        target=renew_until, args=(ended, database, now, holder), name="renewing", daemon=True
    )
    renewing.start()

    def keep() -> None:
        if not renew(database, now, holder):
            raise DatabaseUnavailable("another migration took over: run `guerdon migrate` again")

    try:
        yield keep
    finally:
        ended.set()
        give_up_lock(database, holder)
        renewing.join(1)


def make_lock(database: Database) -> None:
    """The lock's table and its row, where they are not there; another host may just make them too."""
    bind_models(database, [MigrationLock])
    # Not in a transaction, which it would end on a server; again does no harm.
    database.read(lambda: database.create_tables([MigrationLock], safe=True))
    row = MigrationLock.insert(id=1, holder="", until=0)
    if not database.read(lambda: MigrationLock.select().exists()):
        with suppress(IntegrityError):  # another node may insert it too
            database.transact(lambda is_retry: row.execute())


def give_up_lock(database: Database, holder: str) -> None:
    """Let others have it; where the database does not take that, they have to wait until it runs out.

    In a Galera cluster it may have to be said again: a CREATE TABLE of another node, also of a table that is
    there, undoes what is just being done with it here.
    """
    mine = (MigrationLock.id == 1) & (MigrationLock.holder == holder)
    changes = MigrationLock.update(until=0, holder="").where(mine)
    try:
        database.transact(lambda is_retry: changes.execute())
    except (PeeweeException, DatabaseUnavailable) as error:
        log.warning("migration lock not given up", reason=type(error).__name__)


def wait_for_lock(database: Database, now: Clock, holder: str) -> None:
    """Take the lock when it is free, or was not renewed for as long as a lease lasts."""
    seen, seen_at, is_told = None, 0, False
    while True:
        row = look_at_lock(database)
        if row is not None:
            if (row.holder, row.until) != seen:
                seen, seen_at = (row.holder, row.until), now.ticks()
            first, last = now.find_running(LEASE)
            is_over = row.until < now() and not first <= row.until <= last
            # The clock may have been set back: what counts then is that nobody has changed it for so long.
            is_over = is_over or now.ticks() > seen_at + LEASE
            # It is ours where the answer to its COMMIT was lost.
            if (is_over or row.holder == holder) and take_lock(database, now, holder, row):
                return
        if not is_told:
            log.warning("waiting for another migration to end")
            is_told = True
        time.sleep(LOOK_EVERY)


def look_at_lock(database: Database) -> Any:
    """The lock's row; None where a table that another node of the cluster changes holds us up."""
    try:
        return database.read(lambda: MigrationLock.get_by_id(1))
    except PeeweeException as error:
        if classify_error(error) != ErrorKind.LOCKED:
            raise
        return None


def take_lock(database: Database, now: Callable[[], int], holder: str, seen: Any) -> bool:
    """Take the lock from who held it, if it is still as we have seen it."""
    mine, as_seen = MigrationLock.holder == holder, MigrationLock.until == seen.until
    free = (MigrationLock.id == 1) & (mine | (as_seen & (MigrationLock.holder == seen.holder)))
    changes = MigrationLock.update(holder=holder, until=now() + LEASE)
    try:
        return bool(database.transact(lambda is_retry: changes.where(free).execute()))
    except (PeeweeException, DatabaseUnavailable) as error:
        # On SQLite a step that writes holds us up, as it does whoever would renew. Where there is no
        # database any more, the next look at the lock says so.
        if not isinstance(error, DatabaseUnavailable) and not concerns_all(error):
            raise
        return False


def renew(database: Database, now: Callable[[], int], holder: str) -> bool:
    """Hold the lock for another LEASE; False where it is not ours any more."""
    mine = (MigrationLock.id == 1) & (MigrationLock.holder == holder)
    changes = MigrationLock.update(until=now() + LEASE).where(mine)
    return bool(database.transact(lambda is_retry: changes.execute()))


def renew_until(
    ended: threading.Event, database: Database, now: Callable[[], int], holder: str
) -> None:
    """In a thread, so on a connection of its own: a single statement may take longer than LEASE."""
    while not ended.wait(LEASE / 1000 / RENEWALS):
        try:
            renew(database, now, holder)
        except (PeeweeException, DatabaseUnavailable) as error:
            # On SQLite a step that writes holds everybody up, also whoever would take the lock.
            log.warning("migration lock not renewed", reason=type(error).__name__)


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
            database.execute(index.safe(False))  # type: ignore[no-untyped-call]
            yield f"{table} ({', '.join(columns)})"
