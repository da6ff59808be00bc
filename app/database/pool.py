"""Connections that are kept, so many and no more, each one thread's at a time.

Peewee asks here where it would make a connection, and gives it back where it would close it. Nobody waits
within the pool's lock: neither for a server's greeting, nor to hear whether a kept connection still lives.

Read against Peewee 4.5, of whose own words it uses Database._connect(), _close() and _state;
tests/database/test_pool.py holds that they are there.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from app.porch.errors import DatabaseUnavailable


class NoConnectionLeft(DatabaseUnavailable):
    """All connections were in use for as long as somebody waited for one."""


class Pool:
    """Gives connections out, the one used last first, and makes one where none is idle."""

    def __init__(
        self,
        most: int,
        patience: float,
        make: Callable[[], Any],
        close: Callable[[Any], Any],
        is_alive: Callable[[Any], bool],
        can_keep: Callable[[Any], bool],
    ) -> None:
        """`patience` in seconds. `make`, `close` and `is_alive` may wait for the server."""
        self.most = most
        self.patience = patience
        self._make = make
        self._close = close
        self._is_alive = is_alive
        self._can_keep = can_keep
        self._idle: list[Any] = []
        self._taken: dict[int, Any] = {}  # by id(): sqlite3's connections cannot be hashed by value
        self._places = 0  # taken, or being made
        self._changed = threading.Condition()

    def count_taken(self) -> int:
        """How many are in use, or being made."""
        return self._places

    def count_idle(self) -> int:
        """How many nobody uses."""
        return len(self._idle)

    def take(self) -> Any:
        """A connection that lives. Raises NoConnectionLeft, and what making one raises."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._places < self.most, self.patience):
                raise NoConnectionLeft("all our connections to the database are in use")
            self._places += 1
        try:
            connection = self._find_living()
            if connection is None:
                connection = self._make()
        except BaseException:
            self._leave_place()
            raise
        self._taken[id(connection)] = connection
        return connection

    def _find_living(self) -> Any:
        """An idle connection that lives; None where there is none."""
        while (connection := self._pop_idle()) is not None:
            if self._is_alive(connection):
                return connection
            self._close_all([connection])
        return None

    def _pop_idle(self) -> Any:
        with self._changed:
            return self._idle.pop() if self._idle else None

    def _leave_place(self) -> None:
        with self._changed:
            self._places -= 1
            self._changed.notify()

    def give_back(self, connection: Any) -> None:
        """Whoever took it needs it no more; it is kept where it can be. Again is harmless."""
        if self._taken.pop(id(connection), None) is None:
            return
        is_kept = False
        with suppress(Exception):  # a plugin may have closed the driver's own
            is_kept = self._can_keep(connection)
        if not is_kept:
            self._close_all([connection])
        with self._changed:
            if is_kept:
                self._idle.append(connection)
            self._leave_place()

    def drop(self, connection: Any) -> None:
        """Close one that was taken, whatever state it is in. Again is harmless."""
        if self._taken.pop(id(connection), None) is not None:
            self._close_all([connection])
            self._leave_place()

    def close_idle(self) -> None:
        """Close what nobody uses."""
        with self._changed:
            idle, self._idle = self._idle, []
        self._close_all(idle)

    def close_all(self) -> None:
        """Close every connection, also one that another thread is using."""
        self.close_idle()
        for connection in list(self._taken.values()):
            self.drop(connection)

    def _close_all(self, connections: Iterable[Any]) -> None:
        for connection in connections:
            with suppress(Exception):  # a dead one may fail at that too
                self._close(connection)


class Pooled:
    """Mixed into a Peewee database, before it."""

    if TYPE_CHECKING:  # what Peewee brings
        is_closed: Callable[[], bool]
        close: Callable[[], Any]
        _state: Any

    def __init__(self, *args: Any, most: int, patience: float, **kwargs: Any) -> None:
        """`most` connections, each waited for `patience` seconds; the rest is Peewee's."""
        make, close = super()._connect, super()._close  # type: ignore[misc]
        self.pool = Pool(most, patience, make, close, self.is_alive, self.can_keep)
        super().__init__(*args, **kwargs)

    def is_alive(self, connection: Any) -> bool:
        """Whether an idle connection can be used."""
        raise NotImplementedError

    def can_keep(self, connection: Any) -> bool:
        """Whether a connection that was given back may be used by somebody else."""
        raise NotImplementedError

    def _connect(self) -> Any:
        return self.pool.take()

    def _close(self, connection: Any) -> None:
        self.pool.give_back(connection)

    def manual_close(self) -> None:
        """Close this thread's connection for good."""
        if not self.is_closed():
            self.pool.drop(self._state.conn)
            self.close()

    def close_idle(self) -> None:
        """Close what nobody uses."""
        self.pool.close_idle()

    def close_all(self) -> None:
        """Close every connection, this thread's too."""
        self.close()
        self.pool.close_all()
