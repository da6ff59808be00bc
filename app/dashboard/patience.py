"""A page's time at the database: whoever only looks never keeps it busy for long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peewee import OperationalError

from app.database.opening import Database

BUDGET = 2.0  # seconds for the statements of one page
STEPS = 20_000  # of SQLite's machine between looks at the clock: about a millisecond
INTERRUPTED = "interrupted"  # SQLite's word
TIMED_OUT = (1969, 3024)  # MariaDB's and MySQL's numbers


class TookTooLong(Exception):
    """A statement was ended since it took too long."""


@contextmanager
def limit_time(database: Database, seconds: float = BUDGET) -> Iterator[None]:
    """Within, this thread's statements have so long; on a server, each of them. Raises TookTooLong."""
    limit = limit_sqlite if database.family == "sqlite" else limit_server
    try:
        with limit(database, seconds):
            yield
    except OperationalError as error:
        if is_timeout(error):
            raise TookTooLong from error
        raise


def is_timeout(error: OperationalError) -> bool:
    """Whether a statement was ended for its time."""
    return bool(error.args) and (error.args[0] == INTERRUPTED or error.args[0] in TIMED_OUT)


@contextmanager
def limit_sqlite(database: Database, seconds: float) -> Iterator[None]:
    connection: Any = database.connection()
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


@contextmanager
def limit_server(database: Any, seconds: float) -> Iterator[None]:
    is_mariadb = database.server_version >= (10,)
    name = "max_statement_time" if is_mariadb else "max_execution_time"  # MySQL's is in ms
    wanted = seconds if is_mariadb else int(seconds * 1000)
    database.execute_sql(f"SET SESSION {name} = {wanted}")
    try:
        yield
    finally:
        try:
            database.execute_sql(f"SET SESSION {name} = DEFAULT")
        except Exception:  # whatever it is: nobody else gets this connection
            database.drop_connection()
