"""Deliveries of our own, as a party's voters: paid by what decides them, or put into the inbox.

What is put is paid at once, too. It is leased to whoever put it, so no other host tries it meanwhile. Whoever
dies before it is paid loses the lease, and what cannot be given to one waits in the inbox alone; each is paid
once by its key. Of a large occasion only what can be paid within the lease is: the inbox, of any host, has
the rest.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from app.counting.occasions import list_events
from app.database.clock import Clock
from app.database.states import BoxState
from app.failpoints import reach
from app.paying.announcing import Announcer
from app.paying.inbox import OWN_LEASE, Inbox
from app.paying.payments import Payment
from app.paying.settler import Settler, Work
from app.porch.types import PAID, Delivery, Outcome, OutcomeState

AT_ONCE = 64  # events in a commit
LEFT_AT_ONCE = 1000  # deliveries in a commit that only says that they are anybody's
MARGIN = 4_000  # ms of the lease in which no commit is begun any more, for one that takes long


@dataclass(frozen=True, slots=True)
class Put:
    """What was put, the token of its lease, and until when (ms, by the ticks) it may be paid by that."""

    deliveries: Sequence[Delivery]
    lease_token: str
    until: int


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid inside, and the token in the row of its occasion, by which it is known again."""

    payments: Sequence[Payment]
    lease_token: str


class OwnDeliveries:
    """Puts them, and pays them."""

    def __init__(
        self,
        inbox: Inbox,
        settler: Settler,
        announcer: Announcer,
        now: Clock,
        stopping: threading.Event,
    ) -> None:
        """`stopping` is set by whoever wants nothing more to be begun."""
        self._inbox = inbox
        self._settler = settler
        self._announcer = announcer
        self._now = now
        self._stopping = stopping

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def pay_inside(self, deliveries: Sequence[Delivery]) -> Paid:
        """Inside: pay a few, all of them, an occasion first; `finish` it after the commit.

        The occasion has a row in the inbox too, as settled: whoever puts it meets that. Where one of them
        cannot be paid now, anything may be raised: then the transaction has to be undone, and they can be
        `put` by another.
        """
        payments, token = self._settler.settle_within(list_works(deliveries)), make_token()
        self._inbox.put(deliveries[:1], token, BoxState.SETTLED)
        return Paid(payments, token)

    def is_kept(self, occasion: Delivery, made: Paid | Put) -> bool:
        """Whether the commit of just this was kept, and not one of somebody else with the same occasion."""
        return self._inbox.has_put(occasion, made.lease_token)

    def finish(self, made: Paid | Put) -> None:
        """Once it is committed: say what was paid inside, or pay what was put."""
        if isinstance(made, Put):
            self.pay(made)
        else:
            self._announce(self._settler.note_kept(made.payments))

    def put(self, deliveries: Sequence[Delivery]) -> Put:
        """Inside: keep them; the database's unique error if one is there."""
        token, until = make_token(), self._now.ticks() + OWN_LEASE - MARGIN
        self._inbox.put(deliveries, token)
        return Put(deliveries, token, until)

    def pay(self, put: Put) -> None:
        """Once that is committed: pay what can be paid, and leave the rest to the inbox."""
        reach("own deliveries: put, after COMMIT")
        left = put.deliveries
        while left and not self.is_stopping and self._now.ticks() < put.until:
            self._pay_some(left[:AT_ONCE], put.lease_token)
            left = left[AT_ONCE:]
        for start in range(0, len(left), LEFT_AT_ONCE):
            self._inbox.finish_own(put.lease_token, left[start : start + LEFT_AT_ONCE], [])

    def _pay_some(self, some: Sequence[Delivery], lease_token: str) -> None:
        outcomes = self._settler.settle(list_works(some))
        self._announce(outcomes)
        reach("own deliveries: paid, not noted")
        paid = [one for one, its in zip(some, outcomes, strict=True) if its.state in PAID]
        self._inbox.finish_own(lease_token, some, paid)

    def _announce(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.state == OutcomeState.SETTLED:
                self._announcer.announce(outcome.events, outcome.grants)


def make_token() -> str:
    return secrets.token_hex(16)


def list_works(deliveries: Sequence[Delivery]) -> list[Work]:
    return [Work(list_events(one), one.token) for one in deliveries]
