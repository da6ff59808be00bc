"""Opens the database: SQLite or MariaDB/MySQL by URL, each set up so that a commit is a promise."""

import random
import time
from itertools import chain, repeat
from sqlite3 import ProgrammingError
from typing import Any

from peewee import MySQLDatabase, OperationalError, SqliteDatabase

from app.database.decimals import add_decimals, read_places
from app.database.error_kinds import ErrorKind, classify_error
from app.database.patience import Patient
from app.database.pool import Pooled
from app.database.transactions import Transactions
from app.database.urls import (
    make_private_file,
    read_mysql_options,
    read_scheme,
    read_sqlite_path,
)
from app.porch.errors import ConfigError, DatabaseUnavailable
from app.porch.names import fold_name

POOL_SIZE = 32
POOL_WAIT = 5  # seconds for a free connection
LONGEST_LIFE = 3600  # seconds of a connection: what a server forgets of it is remembered
CHECKPOINT_AFTER = 10_000  # pages of 4 KiB in the WAL: one that many commits change is copied once
LOCK_PATIENCE = 8.0  # seconds a SQLite writer waits for its turn
# Seconds between its tries: the other worker's commit is over soon; who holds it longer does so for long.
QUICK_TRIES, QUICK_PAUSE, PAUSE = 12, (0.0001, 0.0006), (0.0005, 0.003)
CONNECT_TIMEOUT = 3  # seconds
ANSWER_TIMEOUT = 10  # seconds for one statement
BYTES_AT_ONCE = 2 << 20  # of text in one statement
BYTES_WRITTEN_OUT = 4  # that a byte of it may become as SQL, and room for the rest of the row
LOCK_WAIT = 2  # seconds for a row or table that somebody holds; others wait behind us meanwhile
MIGRATION_TIMEOUT = 3600  # seconds: an index on a large ledger takes its time
IN_TRANSACTION = 1  # of PyMySQL's server_status
STRICT = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"


class PrivateSqlite(SqliteDatabase):
    """Its file is its owner's alone."""

    def _connect(self) -> Any:
        make_private_file(self.database)
        return super()._connect()  # type: ignore[misc]


class Sqlite(Transactions, Patient, Pooled, PrivateSqlite):  # type: ignore[misc]
    """SQLite in WAL with full syncs; one writer at a time, waited for without blocking others."""

    family = "sqlite"
    returns_rows = True
    names_new_rows = False
    bytes_at_once = BYTES_AT_ONCE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._places: dict[tuple[str, str], int | None] = {}
        super().__init__(*args, **kwargs)

    def is_alive(self, connection: Any) -> bool:
        try:
            connection.total_changes  # noqa: B018  (raises for one that was closed)
        except ProgrammingError:
            return False
        return True

    def can_keep(self, connection: Any) -> bool:
        return not connection.in_transaction

    def begin(self, lock_type: str | None = None) -> None:
        """BEGIN IMMEDIATE. Waits in Python, so that greenlets of this worker go on meanwhile."""
        cursor = self.connection().cursor()
        cursor.execute("PRAGMA busy_timeout = 0")
        if getattr(self._unit, "keeps", False):  # a thread of small units alone
            # What undoes a statement is a file in /var/tmp else, made anew for most commits.
            cursor.execute("PRAGMA temp_store = memory")
        deadline = time.monotonic() + LOCK_PATIENCE
        pauses = chain([QUICK_PAUSE] * QUICK_TRIES, repeat(PAUSE))
        try:
            while True:
                try:
                    return super().begin("IMMEDIATE")  # type: ignore[no-any-return]
                except OperationalError as error:
                    if classify_error(error) != ErrorKind.LOCKED:
                        raise
                    if time.monotonic() > deadline:
                        raise DatabaseUnavailable("somebody holds the SQLite file") from error
                    time.sleep(random.uniform(*next(pauses)))
        finally:
            cursor.execute("PRAGMA busy_timeout = 5000")

    def read_mark(self) -> Any:
        return self._state.conn.total_changes

    def begin_long_statements(self) -> None:
        """SQLite's statements take as long as they take."""

    def rollback(self) -> Any:
        """As Peewee's; where SQLite has rolled back itself (a full disk), again would be an error."""
        return super().rollback() if self.is_in_transaction() else None

    def is_in_transaction(self) -> bool:
        return bool(self._state.conn.in_transaction)

    def list_generated_columns(self, table: str) -> set[str]:
        """The columns of a table that are computed from others, and cannot be written."""
        sql = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (2, 3)"
        return {str(name) for (name,) in self.execute_sql(sql, (table,)).fetchall()}

    def count_places(self, table: str, column: str) -> int | None:
        """The decimals that a column was declared to keep; None where it was not told."""
        if (table, column) not in self._places:
            sql = "SELECT type FROM pragma_table_info(?) WHERE name = ?"
            row = self.connection().execute(sql, (table, column)).fetchone()
            self._places[table, column] = read_places(str(row[0]) if row else "")
        return self._places[table, column]


class SessionMySQL(MySQLDatabase):
    """Sets up each new connection; the server's defaults are not ours."""

    bytes_at_once = BYTES_AT_ONCE  # of text in one statement

    def _connect(self) -> Any:
        from app.database.driver import Connection  # noqa: PLC0415  (the extra may be missing)

        connection: Any = Connection(database=self.database, autocommit=True, **self.connect_params)
        # The greeting had to come within CONNECT_TIMEOUT; a statement may take longer.
        connection._read_timeout = ANSWER_TIMEOUT
        connection.made_at = time.monotonic()
        with connection.cursor() as cursor:
            packet = set_up_session(cursor)
            self.bytes_at_once = min(BYTES_AT_ONCE, packet // BYTES_WRITTEN_OUT)
        return connection


def set_up_session(cursor: Any) -> int:
    """Returns how many bytes a statement may have."""
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute(
        f"SET SESSION sql_mode = '{STRICT}', SESSION time_zone = '+00:00',"
        f" SESSION innodb_lock_wait_timeout = {LOCK_WAIT},"
        f" SESSION lock_wait_timeout = {LOCK_WAIT}"
    )
    names = "'wsrep_on', 'max_allowed_packet'"
    cursor.execute(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({names})")
    variables = dict(cursor.fetchall())
    if variables.get("wsrep_on") == "ON":
        cursor.execute("SET SESSION wsrep_sync_wait = 1")  # no stale reads in a cluster
    return int(variables["max_allowed_packet"])


class MariaDB(Transactions, Patient, Pooled, SessionMySQL):  # type: ignore[misc]
    """MariaDB, MySQL or a Galera cluster through PyMySQL."""

    family = "mysql"
    _left_at = 0.0  # monotonic; connections that were made before are not used again

    @property
    def returns_rows(self) -> bool:
        """Whether INSERT ... RETURNING works: MariaDB 10.5 and later; MySQL has no version 10."""
        return bool(self.server_version and self.server_version >= (10, 5))

    @property
    def names_new_rows(self) -> bool:
        """Whether INSERT ... AS names what an upsert brings: MySQL 8.0.19; MariaDB has VALUES() alone."""
        return bool(self.server_version and (8, 0, 19) <= self.server_version < (10,))

    def is_alive(self, connection: Any) -> bool:
        """Asks it. Where it is dead the others are let go too, not waited for in turn."""
        if time.monotonic() > connection.made_at + LONGEST_LIFE:
            return False
        connection._read_timeout = CONNECT_TIMEOUT
        try:
            connection.ping(reconnect=False)
        except Exception:
            self.close_idle()
            return False
        connection._read_timeout = ANSWER_TIMEOUT
        return True

    def can_keep(self, connection: Any) -> bool:
        """Only one without a transaction: to have it rolled back would mean to wait for the server."""
        is_left = connection.made_at <= self._left_at
        return not (is_left or connection.server_status & IN_TRANSACTION)

    def list_generated_columns(self, table: str) -> set[str]:
        """The columns of a table that are computed from others, and cannot be written."""
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name = %s AND generation_expression <> ''"
        )
        return {str(name) for (name,) in self.execute_sql(sql, (table,)).fetchall()}

    def count_places(self, table: str, column: str) -> None:
        """Not needed: a column keeps the decimals that it was declared to."""

    def leave_server(self) -> None:
        """Close what is idle, keep nothing that is in use: after a failover it leads to the old server."""
        self._left_at = time.monotonic()
        self.close_idle()

    def drop_left_connection(self) -> None:
        """Close this thread's connection if it leads to a server that we have left since."""
        if not self.is_closed() and not self.in_transaction():
            connection: Any = self.connection()
            if connection.made_at <= self._left_at:
                self.drop_connection()

    def read_mark(self) -> Any:
        return self._state.conn._result  # PyMySQL 1.2: an object for each answer

    def begin_long_statements(self) -> None:
        """This thread's connection may wait and work for long, until it is dropped."""
        from app.database.yielding import YieldingCursor  # noqa: PLC0415  (it needs PyMySQL)

        self.connect(reuse_if_open=True)
        self.connection()._read_timeout = MIGRATION_TIMEOUT
        self.connection().cursorclass = YieldingCursor
        self.execute_sql(f"SET SESSION lock_wait_timeout = {MIGRATION_TIMEOUT}")

    def is_in_transaction(self) -> bool:
        return bool(self._state.conn.server_status & IN_TRANSACTION)


Database = Sqlite | MariaDB


def fold_text(value: Any) -> str | None:
    """SQLite's casefold(): of any column's value as a nickname; NULL stays NULL."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return None if value is None else fold_name(str(value), "casefold")


def open_database(url: str) -> Database:
    """The database of a URL, sqlite:///PATH or mysql://user:password@host:port/name, not yet connected.

    Raises ConfigError for a URL that names none. No connection is made: a database that is down
    now may be up later.
    """
    scheme = read_scheme(url)
    if scheme == "sqlite":
        return open_sqlite(url)
    if scheme in ("mysql", "mariadb"):
        return open_mysql(url)
    raise ConfigError([
        "[database] url: must begin with sqlite:/// or mysql:// "
        f"(it begins with {scheme + '://' if scheme else 'no scheme'})"
    ])  # fmt: skip


def open_sqlite(url: str) -> Sqlite:
    database = Sqlite(
        str(read_sqlite_path(url)),
        most=POOL_SIZE, patience=POOL_WAIT, check_same_thread=False,
        pragmas={"journal_mode": "wal", "synchronous": "full", "busy_timeout": 5000,
                 "cache_size": -16384, "wal_autocheckpoint": CHECKPOINT_AFTER},
    )  # fmt: skip
    database.register_function(add_decimals, "add_decimals", 3)
    database.register_function(fold_text, "casefold", 1)
    return database


def open_mysql(url: str) -> MariaDB:
    try:
        from pymysql.constants import CLIENT  # noqa: PLC0415  (the extra may be missing)

        from app.database.driver import Connection  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            ["[database] url: MySQL and MariaDB need PyMySQL: pip install 'guerdon[mysql]'"]
        ) from None
    parts = read_mysql_options(url, Connection)
    name = parts.pop("database")
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": CONNECT_TIMEOUT,
        "write_timeout": ANSWER_TIMEOUT,
        "charset": "utf8mb4",
        "client_flag": CLIENT.FOUND_ROWS,
    }
    return MariaDB(name, most=POOL_SIZE, patience=POOL_WAIT, **options | parts)
