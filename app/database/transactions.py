"""One unit of work in one transaction: run whole, and run again where that is safe."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from peewee import OperationalError, PeeweeException

from app.database.error_kinds import LOST_CONNECTION, ErrorKind, classify_error, owning
from app.database.guarding import Guarded
from app.database.pool import NoConnectionLeft
from app.porch.errors import ConnectionLost, DatabaseUnavailable

Result = TypeVar("Result")

TRIES_AFTER_ROLLBACK = 10
TRIES_AFTER_LOCK = 1
TRIES_AFTER_LOSS = 3
TRIES_AFTER_DEMOTION = 1
AWAY_PAUSE = 0.5  # seconds
QUICK = 3.0  # seconds; who hangs up sooner, time after time, is there


class Transactions(Guarded):
    """Mixed into a pooled Peewee database: `transact`, `read`, and who gives a connection back."""

    if TYPE_CHECKING:  # what Peewee brings
        is_closed: Any
        atomic: Any
        in_transaction: Any
        pop_transaction: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._away_until = 0.0
        super().__init__(*args, **kwargs)
        # Peewee holds its lock until a connection is made, and whoever closes none would wait for it
        # too; all that it guards is each thread's own.
        self._lock = nullcontext()

    def transact(self, unit: Callable[[bool], Result], patience: float = float("inf")) -> Result:
        """Run `unit(is_retry)` in one transaction and return what it returns.

        A deadlock or a lost connection, also one lost during COMMIT, runs the whole unit again, as a
        retry: a unit must find out itself whether an earlier run of it was kept; so does a lock that
        somebody held too long, once. Raises DatabaseUnavailable when the database cannot
        be reached, or was lost after `patience` seconds; ConnectionLost when it hung up on the unit each
        time, soon; and whatever the unit raised after rolling back.
        """
        self.refuse_in_unit("transact")  # the inner one would run half a unit again
        return self._run_with_retries(partial(self._run_unit, unit), patience)

    def read(self, question: Callable[[], Result]) -> Result:
        """Run `question()`, which only reads, outside a transaction, and as patiently."""
        return self._run_with_retries(lambda is_retry: self._run_question(question))

    def _run_with_retries(
        self, run: Callable[[bool], Result], patience: float = float("inf")
    ) -> Result:
        began = time.monotonic()
        with self.give_back():
            tries: dict[ErrorKind, int] = {}
            for number in range(1_000_000):
                try:
                    self.drop_left_connection()
                    return run(number > 0)
                except PeeweeException as error:
                    kind = classify_error(error)
                    tries[kind] = tries.get(kind, 0) + 1
                    took = time.monotonic() - began
                    if kind is ErrorKind.LOST and tries[kind] >= TRIES_AFTER_LOSS and took < QUICK:
                        self._tell_loss(error)
                    self._decide(kind, tries[kind], took > patience, error)
                time.sleep(random.uniform(0.5, 1.0) * min(0.01 * 2**number, 0.25))
        raise AssertionError("it returned or raised")

    def _decide(self, kind: ErrorKind, tries: int, is_late: bool, error: Exception) -> None:
        """Return if the unit may run again; raise what its caller gets otherwise."""
        if kind in LOST_CONNECTION:
            self.drop_connection()
        if kind is ErrorKind.DEMOTED:
            self.leave_server()
            if tries > TRIES_AFTER_DEMOTION:
                raise DatabaseUnavailable("the database takes no writes now") from error
            return
        if kind is ErrorKind.AWAY or (
            kind is ErrorKind.LOST and (is_late or tries >= TRIES_AFTER_LOSS)
        ):
            raise DatabaseUnavailable("the database does not answer") from error
        limits = {
            ErrorKind.ROLLED_BACK: TRIES_AFTER_ROLLBACK,
            ErrorKind.LOCKED: TRIES_AFTER_LOCK,
            ErrorKind.LOST: TRIES_AFTER_LOSS,
        }
        if tries > limits.get(kind, 0):
            raise error

    def _tell_loss(self, error: Exception) -> None:
        """Raise ConnectionLost where the unit had begun: it is the unit that is not taken."""
        if self._unit.has_begun:
            self.drop_connection()
            raise ConnectionLost("the database hangs up") from error

    def _run_question(self, question: Callable[[], Result]) -> Result:
        self._unit.has_begun = False
        self.connect(reuse_if_open=True)
        return question()

    def _run_unit(self, unit: Callable[[bool], Result], is_retry: bool) -> Result:
        self._unit.has_begun = False
        self.connect(reuse_if_open=True)
        try:
            with self.atomic(), self.guard_unit():
                self._unit.has_begun = True
                return unit(is_retry)
        finally:
            # Whatever a plugin did to Peewee's own books: the next unit begins on clean ground.
            if not self.is_closed() and (self.in_transaction() or self.is_in_transaction()):
                self.drop_connection()

    def keep_connection(self) -> None:
        """From now on this thread keeps its connection between units: one check-out for its life."""
        self._unit.keeps = True

    @contextmanager
    def give_back(self) -> Iterator[None]:
        """A connection that is opened within goes back to the pool, also one that replaced another."""
        was_open = not self.is_closed()
        try:
            yield
        finally:
            keeps = was_open or getattr(self._unit, "keeps", False)
            if not keeps and not self.is_closed():
                self.close()

    @contextmanager
    def connection_context(self) -> Iterator[None]:
        """A connection for the length of a block; Peewee's own would stumble over a replaced one."""
        with self.give_back():
            self.connect(reuse_if_open=True)
            yield

    def connect(self, reuse_if_open: bool = False) -> Any:
        """As Peewee's. That one is open already is its word about who asks, and not the database's."""
        return self._open_one() if self.is_closed() else super().connect(reuse_if_open)  # type: ignore[misc]

    @owning
    def _open_one(self) -> Any:
        return super().connect()  # type: ignore[misc]

    def _connect(self) -> Any:
        """As the pool's; right after a failure others fail at once instead of queueing to wait."""
        if time.monotonic() < self._away_until:
            raise OperationalError(2003, "the database did not answer just now")
        try:
            return super()._connect()  # type: ignore[misc]
        except NoConnectionLeft:
            raise
        except Exception:
            self._away_until = time.monotonic() + AWAY_PAUSE
            raise

    def leave_server(self) -> None:
        """Whoever needs a connection from now on makes a new one: the server's name may lead elsewhere."""

    def drop_left_connection(self) -> None:
        """Close this thread's connection if it leads to a server that we have left since."""

    def drop_connection(self) -> None:
        """Close this thread's connection for good, whatever state it is in."""
        while self.in_transaction():
            self.pop_transaction()
        if not self.is_closed():
            self.manual_close()
