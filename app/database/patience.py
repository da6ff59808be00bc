"""How long reading may take: who looks at a page would rather be told than wait.

The server ends a statement itself: MariaDB by SET STATEMENT, MySQL by a hint, for that one statement, so
that nothing of it is left on the connection. SQLite asks now and then whether to go on.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from sqlite3 import OperationalError as SqliteError
from sqlite3 import ProgrammingError
from typing import TYPE_CHECKING, Any

from peewee import PeeweeException

from app.database.error_kinds import list_causes
from app.porch.errors import GuerdonError

SECONDS = 2.0
ASK_AFTER = 1_000  # of SQLite's steps; some 10 to 100 us
TIMED_OUT = (1969, 3024)  # MariaDB's and MySQL's error numbers
INTERRUPTED = "interrupted"
ERRORS = (PeeweeException, SqliteError)  # the driver's own where rows are fetched
SELECT = re.compile(r"\s*SELECT\b", re.IGNORECASE)


class TookTooLong(GuerdonError):
    """What was asked of the database took longer than it may."""


class Patient:
    """Mixed into a Peewee database, before it: statements within `limit_time` end in time."""

    if TYPE_CHECKING:  # what Peewee brings, and Guarded
        family: str
        server_version: Any
        _state: Any
        _unit: Any
        connection_context: Any

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """As Peewee's; within limit_time the server is told when to stop."""
        deadline = getattr(self._unit, "deadline", None)
        if deadline is not None:
            sql = self._limit_statement(sql, deadline - time.monotonic())
        return super().execute_sql(sql, params)  # type: ignore[misc]

    def _limit_statement(self, sql: str, left: float) -> str:
        if left <= 0:
            raise self._tell_time()
        if self.family == "sqlite":
            self._watch()
            return sql
        if self.server_version >= (10,):  # MariaDB; MySQL has no version 10
            return f"SET STATEMENT max_statement_time = {max(left, 0.001):.3f} FOR {sql}"
        hint = f"SELECT /*+ MAX_EXECUTION_TIME({max(1, int(left * 1000))}) */"
        return SELECT.sub(hint, sql, count=1) if SELECT.match(sql) else sql

    def _watch(self) -> None:
        """SQLite reads on while rows are fetched, so it is asked until the end of limit_time."""
        connection = self._state.conn
        if connection is not None and connection is not self._unit.watched:
            self._unit.watched, unit = connection, self._unit
            connection.set_progress_handler(lambda: is_over(unit.deadline), ASK_AFTER)

    def _tell_time(self) -> TookTooLong:
        allowed = self._unit.allowed
        return TookTooLong(f"the database took longer than the {allowed:g} s it may take for this")

    @contextmanager
    def limit_time(self, seconds: float = SECONDS) -> Iterator[None]:
        """What is read within takes `seconds` at most, all statements together, on one connection.

        Raises TookTooLong where it would take longer. The connection is afterwards as it was before.
        MySQL ends reading alone. Within another one, the shorter time of the two is what counts.
        """
        before = getattr(self._unit, "deadline", None), getattr(self._unit, "allowed", None)
        deadline = time.monotonic() + seconds
        with self.connection_context():
            if before[0] is None or deadline < before[0]:
                self._unit.deadline, self._unit.allowed = deadline, seconds
            if before[0] is None:
                self._unit.watched = None
            try:
                yield
            except ERRORS as error:
                if not is_time_out(error):
                    raise
                raise self._tell_time() from error
            finally:
                self._unit.deadline, self._unit.allowed = before
                if before[0] is None and self._unit.watched is not None:
                    with suppress(ProgrammingError):  # one that was closed meanwhile
                        self._unit.watched.set_progress_handler(None, 0)
                    self._unit.watched = None


def is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline


def is_time_out(error: BaseException) -> bool:
    """Whether a statement was ended because its time was over."""
    said = [cause.args[0] for cause in list_causes(error)
            if isinstance(cause, ERRORS) and cause.args]  # fmt: skip
    return any(one in TIMED_OUT or one == INTERRUPTED for one in said)
