"""Deliveries of our own, as a party's voters: put into the inbox with what decided them, paid at once.

They are leased to whoever put them, so no other host tries them meanwhile. Whoever dies before they are paid
loses the lease, and what cannot be given to one waits in the inbox alone; each is paid once by its key.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.counting.occasions import list_events
from app.failpoints import reach
from app.paying.announcing import Announcer
from app.paying.inbox import Inbox
from app.paying.settler import Settler, Work
from app.porch.types import PAID, Delivery, OutcomeState

AT_ONCE = 64  # events in a commit


@dataclass(frozen=True, slots=True)
class Put:
    """What was put, and the token of its lease."""

    deliveries: Sequence[Delivery]
    lease_token: str


class OwnDeliveries:
    """Puts them, and pays them."""

    def __init__(self, inbox: Inbox, settler: Settler, announcer: Announcer) -> None:
        self._inbox = inbox
        self._settler = settler
        self._announcer = announcer

    def put(self, deliveries: Sequence[Delivery]) -> Put:
        """Inside: keep them; the database's unique error if one is there."""
        token = secrets.token_hex(16)
        self._inbox.put(deliveries, token)
        return Put(deliveries, token)

    def pay(self, put: Put) -> None:
        """Once that is committed: pay what can be paid, and leave the rest to the inbox."""
        reach("own deliveries: put, after COMMIT")
        for some in cut(put.deliveries):
            outcomes = self._settler.settle([Work(list_events(one), one.token) for one in some])
            for outcome in outcomes:
                if outcome.state == OutcomeState.SETTLED:
                    self._announcer.announce(outcome.events, outcome.grants)
            reach("own deliveries: paid, not noted")
            paid = [one for one, its in zip(some, outcomes, strict=True) if its.state in PAID]
            self._inbox.finish_own(put.lease_token, some, paid)


def cut(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    for start in range(0, len(deliveries), AT_ONCE):
        yield deliveries[start : start + AT_ONCE]
