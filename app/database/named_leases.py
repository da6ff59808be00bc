"""A lease by a name: work that one process does at a time, on all hosts of a database.

It is no lock: a process that was stopped in the middle may go on beside the next holder. What it writes
must still be right then.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress

from peewee import IntegrityError

from app.database.clock import Clock, make_clock
from app.database.leases import SLACK
from app.database.number_models import LeaseRow
from app.database.opening import Database


class NamedLease:
    """This process's hold of a name, taken and renewed by `hold`."""

    def __init__(self, database: Database, name: str, now: Callable[[], int], length: int) -> None:
        """`now` gives ms since the epoch; a holder that says nothing for `length` ms has lost it."""
        self._database = database
        self._name = name
        self._now: Clock = make_clock(now)
        self._length = length
        self._holder = secrets.token_hex(16)

    def hold(self) -> bool:
        """Take it, or hold it for another `length` ms; False while it is somebody else's."""
        row = self._database.read(lambda: LeaseRow.get_or_none(LeaseRow.name == self._name))
        if row is None:
            return self._begin()
        if row.holder != self._holder and not self._is_over(row.until):
            return False
        as_seen = (LeaseRow.holder == row.holder) & (LeaseRow.until == row.until)
        ours = (LeaseRow.holder == self._holder) | as_seen
        changes = LeaseRow.update(holder=self._holder, until=self._now() + self._length)
        taking = changes.where((LeaseRow.name == self._name) & ours)
        return bool(self._database.transact(lambda is_retry: taking.execute()))

    def let_go(self) -> None:
        """Somebody else may take it at once; where it is not ours, nothing happens."""
        mine = (LeaseRow.name == self._name) & (LeaseRow.holder == self._holder)
        self._database.transact(lambda is_retry: LeaseRow.update(until=0).where(mine).execute())

    def _begin(self) -> bool:
        until = self._now() + self._length
        row = LeaseRow.insert(name=self._name, holder=self._holder, until=until)
        with suppress(IntegrityError):  # another may be the first
            self._database.transact(lambda is_retry: row.execute())
        return self.is_ours()

    def is_ours(self) -> bool:
        """Whether we took it last."""
        row = self._database.read(lambda: LeaseRow.get_or_none(LeaseRow.name == self._name))
        return row is not None and row.holder == self._holder

    def _is_over(self, until: int) -> bool:
        """It ran out; or it ends later than any lease of now, for the clock was set back."""
        now = self._now()
        first, last = self._now.find_running(self._length)
        is_late = until < now and not first <= until <= last
        return is_late or until > now + self._length + SLACK
