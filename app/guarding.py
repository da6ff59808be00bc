"""Keeps a unit of work whole: nothing within it may end its transaction, or hide that it failed.

After a deadlock or a lock wait the server may have rolled back what went before: whoever swallowed
the error would commit the other half. So an error dooms its unit, and words that end a transaction,
silently ones too (MariaDB, "SQL statements that cause an implicit commit"), are refused before they run.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from peewee import PeeweeException, _savepoint

from app.errors import TransactionBroken
from app.faults import classify_error

# A statement may begin with blanks, brackets and comments, but not with MySQL's comments that run.
HARMLESS = re.compile(
    r"(?>\s|\(|/\*(?!M?!).*?\*/|(?:--|\#)[^\n]*(?:\n|\Z))*+"
    r"(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|VALUES|TABLE|EXPLAIN|SHOW|DESC|DESCRIBE|DO|PRAGMA"
    r"|SAVEPOINT|RELEASE|ROLLBACK\s+(?:WORK\s+)?TO|SET(?!\s*(?:/\*|STATEMENT|PASSWORD)|.*AUTOCOMMIT))\b",
    re.IGNORECASE | re.DOTALL,
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
        transaction_depth: Any

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
        try:
            yield
        finally:
            self._unit.guarded = False
        if self._unit.doomed is not None:
            raise self._unit.doomed
        # Peewee's stack deeper than our own transaction would end without COMMIT and say nothing.
        if not self.is_in_transaction() or self.transaction_depth() != 1:
            raise TransactionBroken("a plugin ended the transaction that pays, or left one open")

    @property
    def is_guarded(self) -> bool:
        return getattr(self._unit, "guarded", False)

    def refuse_in_unit(self, action: str) -> None:
        if self.is_guarded:
            raise TransactionBroken(f"a plugin asked for {action} inside the transaction that pays")

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """As Peewee's; in a unit only what cannot end it, and an error dooms it."""
        if not self.is_guarded:
            return super().execute_sql(sql, params)  # type: ignore[misc]
        if self._unit.doomed is not None:
            raise self._unit.doomed  # the server may have rolled back: this would be kept by itself
        if not HARMLESS.match(sql):
            self.refuse_in_unit(" ".join(sql.split())[:40])
        try:
            cursor = super().execute_sql(sql, params)  # type: ignore[misc]
        except PeeweeException as error:
            undone = self.count_blocks(0) > 0 and classify_error(error) == "duplicate"
            if not undone or not self.is_in_transaction():
                self._unit.doomed = error
            raise
        if not self.is_in_transaction():
            self._unit.doomed = TransactionBroken("a plugin ended the transaction that pays")
            raise self._unit.doomed
        return cursor

    def begin(self, *args: Any, **kwargs: Any) -> Any:
        self.refuse_in_unit("begin")  # MariaDB would commit what went before
        return super().begin(*args, **kwargs)  # type: ignore[misc]

    def savepoint(self) -> Block:
        return Block(self)

    def count_blocks(self, change: int) -> int:
        """How many blocks within the transaction this thread is in, after `change`."""
        self._unit.blocks = getattr(self._unit, "blocks", 0) + change
        return int(self._unit.blocks)

    def commit(self) -> Any:
        self.refuse_in_unit("commit")
        return super().commit()  # type: ignore[misc]

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
