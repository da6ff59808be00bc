"""One unit of work in one transaction: run whole, kept whole, and run again where that is safe.

A database error inside a unit dooms it: after a deadlock or a lock wait the server may have rolled
back what went before, and whoever swallowed the error would commit the other half.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from peewee import InterfaceError, OperationalError, PeeweeException, _savepoint
from playhouse.pool import MaxConnectionsExceeded

from app.errors import DatabaseUnavailable, TransactionBroken

Result = TypeVar("Result")

# MariaDB's error numbers (server 1xxx, client library 2xxx).
ROLLED_BACK = {1213, 1205, 1020, 3572}  # deadlock, lock wait, row changed, NOWAIT
LOST = {2006, 2013, 2014, 2055, 1927, 1053, 1152, 1153, 1158, 1159, 1160, 1161}
AWAY = {2002, 2003, 2005, 1040, 1047, 1129, 1130, 1203, 1226, 1290, 1836, 4031}
DUPLICATE = {1062, 1586}

# What ends a transaction, in words or, on MySQL, silently: tables are made by `guerdon migrate`.
ENDS_TRANSACTION = re.compile(
    r"\s*(COMMIT|END|BEGIN|START|ROLLBACK(?!\s+(WORK\s+)?TO)|XA|SET\s+[\w@.\s]*AUTOCOMMIT"
    r"|CREATE|ALTER|DROP|TRUNCATE|RENAME|LOCK|UNLOCK)\b",
    re.IGNORECASE,
)

TRIES_AFTER_ROLLBACK = 10
TRIES_AFTER_LOSS = 3
AWAY_PAUSE = 0.5  # seconds


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything it was raised from or during: a nested block hides a deadlock there."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__context__, current.__cause__]


def classify_error(error: BaseException) -> str:
    """What a database error means for its unit: rolled_back, lost, away, duplicate or refused."""
    kinds = {classify_one(cause) for cause in list_causes(error)}
    for kind in ("rolled_back", "lost", "away", "duplicate"):
        if kind in kinds:
            return kind
    return "refused"


def classify_one(error: BaseException) -> str:
    if isinstance(error, MaxConnectionsExceeded):
        return "away"
    if not isinstance(error, PeeweeException):
        return ""
    number = error.args[0] if error.args else None
    if isinstance(number, int):
        if isinstance(error, InterfaceError) and number == 0:
            return "lost"  # PyMySQL's word for a socket that is gone
        for kind, numbers in (
            ("rolled_back", ROLLED_BACK), ("lost", LOST), ("away", AWAY), ("duplicate", DUPLICATE),
        ):  # fmt: skip
            if number in numbers:
                return kind
    text = str(number)
    if isinstance(error, OperationalError) and "is locked" in text:
        return "rolled_back"
    if isinstance(error, OperationalError) and "unable to open" in text:
        return "away"
    if "UNIQUE constraint failed" in text:
        return "duplicate"
    if "Packet sequence number wrong" in text:
        return "lost"
    return ""


class Block(_savepoint):
    """A plugin's own `with db.atomic():`; a duplicate it meets and undoes there is its own affair."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        self.db.count_blocks(+1)
        return entered

    def __exit__(self, *error: Any) -> Any:
        self.db.count_blocks(-1)
        return super().__exit__(*error)


class Transactions:
    """Mixed into a pooled Peewee database: `transact`, and the guard that keeps a unit whole."""

    if False:  # what Peewee brings; its stubs and the pool's absence of them meet here
        connect: Any
        is_closed: Any
        atomic: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unit = threading.local()
        self._away_until = 0.0
        super().__init__(*args, **kwargs)

    def transact(self, unit: Callable[[int], Result]) -> Result:
        """Run `unit(attempt)` in one transaction and return what it returns.

        A deadlock, a lock wait or a lost connection, also one lost during COMMIT, runs the whole
        unit again with a higher `attempt`: a unit must find out itself whether an earlier attempt
        was kept. Raises DatabaseUnavailable when the database cannot be reached, and whatever the
        unit raised after rolling back.
        """
        self._refuse_in_unit("transact")  # the inner one would run half a unit again
        return self._insist(unit, self._run_unit)

    def _insist(
        self,
        unit: Callable[[int], Result],
        run: Callable[[Callable[[int], Result], int], Result],
    ) -> Result:
        was_open = not self.is_closed()
        attempt = losses = 0
        try:
            while True:
                try:
                    return run(unit, attempt)
                except (PeeweeException, MaxConnectionsExceeded) as error:
                    kind = classify_error(error)
                    if kind in ("lost", "away"):
                        self.drop_connection()
                        losses += 1
                    if kind == "away" or losses >= TRIES_AFTER_LOSS:
                        raise DatabaseUnavailable("the database does not answer") from error
                    if kind not in ("rolled_back", "lost") or attempt >= TRIES_AFTER_ROLLBACK:
                        raise
                    attempt += 1
                    time.sleep(random.uniform(0.5, 1.0) * min(0.005 * 2**attempt, 0.25))
        finally:
            if not was_open and not self.is_closed() and not getattr(self._unit, "keeps", False):
                self.close()

    def ask(self, question: Callable[[int], Result]) -> Result:
        """Run `question(attempt)`, which only reads, outside a transaction, and as patiently."""
        return self._insist(question, self._run_question)

    def _run_question(self, question: Callable[[int], Result], attempt: int) -> Result:
        self.connect(reuse_if_open=True)
        return question(attempt)

    def _run_unit(self, unit: Callable[[int], Result], attempt: int) -> Result:
        self.connect(reuse_if_open=True)
        self._unit.doomed = None
        with self.atomic():
            with self._guard():
                result = unit(attempt)
            if self._unit.doomed is not None:
                raise self._unit.doomed
            if not self.is_in_transaction():
                raise TransactionBroken("a plugin ended the transaction that pays")
        return result

    @contextmanager
    def _guard(self) -> Iterator[None]:
        self._unit.guarded = True
        try:
            yield
        finally:
            self._unit.guarded = False

    def _refuse_in_unit(self, action: str) -> None:
        if getattr(self._unit, "guarded", False):
            raise TransactionBroken(f"a plugin asked for {action} inside the transaction that pays")

    def keep_connection(self) -> None:
        """From now on this thread keeps its connection between units: one check-out for its life."""
        self._unit.keeps = True

    def _connect(self) -> Any:
        """As the pool's; right after a failure others fail at once instead of queueing to wait."""
        if time.monotonic() < self._away_until:
            raise OperationalError(2003, "the database did not answer just now")
        try:
            return super()._connect()  # type: ignore[misc]
        except MaxConnectionsExceeded:
            raise
        except Exception:
            self._away_until = time.monotonic() + AWAY_PAUSE
            raise

    def is_in_transaction(self) -> bool:
        """Whether the connection itself says that our transaction is still open."""
        raise NotImplementedError

    def drop_connection(self) -> None:
        """Close this thread's connection for good, whatever state it is in."""
        if not self.is_closed():
            self.manual_close()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """As Peewee's; an error at the top of a unit dooms the unit, and nothing in it may end it."""
        if ends := ENDS_TRANSACTION.match(sql):
            self._refuse_in_unit(ends[1].upper())
        try:
            return super().execute_sql(sql, params)  # type: ignore[misc]
        except PeeweeException as error:
            undone = self.count_blocks(0) > 0 and classify_error(error) == "duplicate"
            if getattr(self._unit, "guarded", False) and not undone:
                self._unit.doomed = error
            raise

    def savepoint(self) -> Block:
        return Block(self)

    def count_blocks(self, change: int) -> int:
        """How many blocks within the transaction this thread is in, after `change`."""
        self._unit.blocks = getattr(self._unit, "blocks", 0) + change
        return int(self._unit.blocks)

    def commit(self) -> Any:
        self._refuse_in_unit("commit")
        return super().commit()  # type: ignore[misc]

    def rollback(self) -> Any:
        self._refuse_in_unit("rollback")
        return super().rollback()  # type: ignore[misc]

    def close(self) -> Any:
        self._refuse_in_unit("close")
        return super().close()  # type: ignore[misc]

    def manual_close(self) -> Any:
        self._refuse_in_unit("manual_close")
        return super().manual_close()  # type: ignore[misc]
