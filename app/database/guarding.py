"""Keeps a unit of work whole: nothing within it may end its transaction, or hide that it failed.

After a deadlock or a lock wait the server may have rolled back what went before: whoever swallowed
the error would commit the other half. So an error dooms its unit, and words that end a transaction,
silently ones too (MariaDB, "SQL statements that cause an implicit commit"), are refused before they run.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import PeeweeException, _savepoint

from app.database.complaints import keep_column_type, keep_statement
from app.database.error_kinds import (
    ErrorKind,
    classify_error,
    concerns_all,
    disown_error,
    own_error,
    owning,
)
from app.porch.errors import Inseparable, TransactionBroken

# A statement may begin with blanks, brackets and comments, but not with MySQL's comments that run.
HARMLESS = re.compile(
    r"(?>\s|\(|/\*(?!M?!).*?\*/|(?:--|\#)[^\n]*(?:\n|\Z))*+"
    r"(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES|TABLE|EXPLAIN|SHOW|DESC|DESCRIBE|DO|PRAGMA"
    r"|SAVEPOINT|RELEASE|ROLLBACK\s+(?:WORK\s+)?TO|SET(?!\s*(?:/\*|STATEMENT|PASSWORD)|.*AUTOCOMMIT))\b",
    re.IGNORECASE | re.DOTALL,
)

SAVEPOINT = "guerdon_part"


@dataclass(slots=True)
class Part:
    """Something within a unit that may be undone alone, by a savepoint before its first statement."""

    has_savepoint: bool
    callbacks: int  # how many wait for the commit already
    mark: Any  # of the connection, before
    is_touched: bool = False
    is_hidden: bool = (
        False  # a statement was made that we did not see, by a cursor kept from before
    )


class Block(_savepoint):
    """A plugin's own `with db.atomic():`; a duplicate it meets and undoes there is its own affair."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        self.db.count_blocks(+1)
        return entered

    def __exit__(self, *error: Any) -> Any:
        self.db.count_blocks(-1)
        return super().__exit__(*error)


class Guarded:
    """Mixed into a Peewee database: what a unit may not do, and whether it is still whole."""

    if TYPE_CHECKING:  # what Peewee brings
        family: str
        transaction_depth: Any
        get_columns: Any
        _state: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unit = threading.local()
        super().__init__(*args, **kwargs)

    def is_in_transaction(self) -> bool:
        """Whether the connection itself says that our transaction is still open."""
        raise NotImplementedError

    @contextmanager
    def guard_unit(self) -> Iterator[None]:
        """What runs within is a unit; TransactionBroken, or the error that was hidden, if it broke."""
        self._unit.doomed, self._unit.blocks, self._unit.guarded = None, 0, True
        self._unit.part = None
        try:
            yield
        finally:
            self._unit.guarded = False
        self._require_whole()

    def _require_whole(self) -> None:
        self._raise_doomed()
        self._ask_driver()
        if not self._is_open():
            raise TransactionBroken("a plugin ended the transaction that pays, or left one open")

    def _raise_doomed(self) -> None:
        """Raise what dooms the unit, judged without what a plugin was handling as it was raised before."""
        if self._unit.doomed is not None:
            disown_error(self._unit.doomed)
            raise self._unit.doomed

    def _is_open(self) -> bool:
        """Peewee's stack deeper than our own transaction would end without COMMIT and say nothing."""
        return self.is_in_transaction() and self.transaction_depth() == 1

    @property
    def is_doomed(self) -> bool:
        """Whether a statement has failed, so that nothing of the unit can be kept."""
        return self._unit.doomed is not None

    def try_alone(
        self, act: Callable[..., None], *args: Any, with_savepoint: bool
    ) -> Exception | None:
        """In a unit: None, or the error that `act(*args)` failed with or hid, and all it did undone.

        Without a savepoint that is only possible where it made no statement. Raises Inseparable where
        it cannot be undone, and what the whole unit has to run again for.
        """
        callbacks = len(self._state.commit_callbacks)
        part = self._unit.part = Part(with_savepoint, callbacks, self.read_mark())
        try:
            try:
                act(*args)
            finally:
                self._unit.part = None
            if part.is_touched or self.transaction_depth() != 1:
                self._require_whole()
        except Exception as error:
            for one in filter(None, (self._unit.doomed, error)):
                disown_error(one)
                if concerns_all(one):
                    raise one from None
            self._undo(part, error)
            return error
        if part.has_savepoint and part.is_touched:
            self._release_savepoint()
        return None

    def _undo(self, part: Part, error: Exception) -> None:
        if not part.is_touched:
            part.is_hidden = self._has_moved(part)
        cannot = part.is_hidden or (part.is_touched and not part.has_savepoint)
        if not self._is_open() or cannot:
            raise Inseparable(error)
        if part.is_touched:
            self._execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            self._release_savepoint()
        self._unit.doomed, self._unit.blocks = None, 0
        del self._state.commit_callbacks[part.callbacks :]

    def _release_savepoint(self) -> None:
        """On MySQL the next one of its name takes its place; SQLite would keep both."""
        if self.family == "sqlite":
            self._execute(f"RELEASE SAVEPOINT {SAVEPOINT}")

    def _touch(self) -> None:
        """A statement is about to be made: the first of a part, if it is one, has a savepoint before."""
        part: Part | None = getattr(self._unit, "part", None)
        if part is not None and not part.is_touched:
            part.is_touched, part.is_hidden = True, self._has_moved(part)
            if part.has_savepoint:
                self._execute(f"SAVEPOINT {SAVEPOINT}")

    def read_mark(self) -> Any:
        """What is another after a statement that changed something, whoever made it."""
        raise NotImplementedError

    def _has_moved(self, part: Part) -> bool:
        mark = self.read_mark()
        return mark is not part.mark and mark != part.mark

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """As Peewee's, by which every statement goes."""
        self._touch()
        self._note_driver()
        return super().cursor(*args, **kwargs)  # type: ignore[misc]

    def connection(self) -> Any:
        """As Peewee's; who takes the driver's own makes statements that we do not see."""
        self._touch()
        self._note_driver()
        return super().connection()  # type: ignore[misc]

    def _note_driver(self) -> None:
        """From now on this thread may have something of the driver's, which it may also keep."""
        if self.is_guarded and not getattr(self._unit, "is_ours", False):
            self._unit.has_driver = True

    def _execute(self, sql: str, params: Any = None) -> Any:
        before = getattr(self._unit, "is_ours", False)
        self._unit.is_ours = True
        try:
            return super().execute_sql(sql, params)  # type: ignore[misc]
        except PeeweeException as error:
            own_error(error)
            raise
        finally:
            self._unit.is_ours = before

    def _ask_driver(self) -> None:
        """After an error that a plugin swallowed, PyMySQL does not know that the transaction is gone.

        Whatever came next would be kept by itself.
        """
        if self.family == "mysql" and getattr(self._unit, "has_driver", False):
            self._execute("DO 0")  # the answer says whether there is a transaction

    @property
    def is_guarded(self) -> bool:
        return getattr(self._unit, "guarded", False)

    def refuse_in_unit(self, action: str) -> None:
        if self.is_guarded:
            raise TransactionBroken(f"a plugin asked for {action} inside the transaction that pays")

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """As Peewee's; in a unit only what cannot end it, and an error dooms it."""
        if not self.is_guarded:
            return self._execute(sql, params)
        self._raise_doomed()  # the server may have rolled back: this would be kept by itself
        if not HARMLESS.match(sql):
            self.refuse_in_unit(" ".join(sql.split())[:40])
        self._ask_driver()
        self._refuse_ended()
        try:
            cursor = self._execute(sql, params)
        except PeeweeException as error:
            keep_statement(error, sql)
            keep_column_type(error, self.describe_column)
            undone = self.count_blocks(0) > 0 and classify_error(error) == ErrorKind.DUPLICATE
            if not undone or not self.is_in_transaction():
                self._unit.doomed = error
            raise
        self._refuse_ended()
        return cursor

    def _refuse_ended(self) -> None:
        if not self.is_in_transaction():
            self._unit.doomed = TransactionBroken("a plugin ended the transaction that pays")
            raise self._unit.doomed

    def describe_column(self, table: str, column: str) -> str:
        """The type of a column as it was declared; "" where that cannot be found out."""
        with suppress(PeeweeException):
            for one in self.get_columns(table):
                if one.name == column:
                    return str(getattr(one, "full_type", None) or one.data_type)
        return ""

    @owning
    def begin(self, *args: Any, **kwargs: Any) -> Any:
        self.refuse_in_unit("begin")  # MariaDB would commit what went before
        return super().begin(*args, **kwargs)  # type: ignore[misc]

    def savepoint(self) -> Block:
        return Block(self)

    def count_blocks(self, change: int) -> int:
        """How many blocks within the transaction this thread is in, after `change`."""
        self._unit.blocks = getattr(self._unit, "blocks", 0) + change
        return int(self._unit.blocks)

    @owning
    def commit(self) -> Any:
        self.refuse_in_unit("commit")
        return super().commit()  # type: ignore[misc]

    @owning
    def rollback(self) -> Any:
        self.refuse_in_unit("rollback")
        return super().rollback()  # type: ignore[misc]

    def close(self) -> Any:
        self.refuse_in_unit("close")
        return super().close()  # type: ignore[misc]

    def session_start(self) -> Any:
        self.refuse_in_unit("session_start")
        return super().session_start()  # type: ignore[misc]

    def session_commit(self) -> Any:
        self.refuse_in_unit("session_commit")
        return super().session_commit()  # type: ignore[misc]

    def session_rollback(self) -> Any:
        self.refuse_in_unit("session_rollback")
        return super().session_rollback()  # type: ignore[misc]

    def manual_close(self) -> Any:
        self.refuse_in_unit("manual_close")
        return super().manual_close()  # type: ignore[misc]
