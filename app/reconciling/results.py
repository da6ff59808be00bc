"""Keeps what each comparison has found: a row is begun before the list is read, and ended once."""

import json
import secrets
from collections.abc import Callable
from typing import Any

from peewee import IntegrityError

from app.database.opening import Database
from app.database.reconciliation_models import Reconciliation
from app.database.states import ReconciliationState
from app.porch.types import ListedVote
from app.reconciling.comparing import Comparison
from app.reconciling.listing import Listing

LEASE = 900_000  # ms; longer than a list is read and compared
KEPT = 100  # ids of each kind
LONGEST_REASON = 500  # characters
COUNTS = ("listed", "waiting", "missing", "healed", "differs", "unknown")


class Results:
    """The rows of guerdon_reconciliations."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._now = now

    def begin(
        self, source: str, since: int, heals: bool, person: str, slot: int | None = None
    ) -> Reconciliation | None:
        """A new comparison; None where this turn is another's already."""
        now = self._now()
        row = Reconciliation(
            source=source, slot=slot, person=person, begun_at=now, since=since, heals=heals,
            state=ReconciliationState.RUNNING, reason="", found="{}", lease_until=now + LEASE,
            holder=secrets.token_hex(16), **dict.fromkeys(COUNTS, 0),
        )  # fmt: skip

        def insert(is_retry: bool) -> Reconciliation:
            mine: Reconciliation | None = (
                Reconciliation.get_or_none(
                    (Reconciliation.source == source) & (Reconciliation.holder == row.holder)
                )
                if is_retry
                else None
            )
            if mine is not None:
                return mine  # the reply to an earlier COMMIT was lost
            row.id = Reconciliation.insert(row.__data__).execute()
            return row

        try:
            return self._database.transact(insert)
        except IntegrityError:
            if slot is None:
                raise
            return None

    def find_turn(self, source: str, slot: int) -> Reconciliation | None:
        """The comparison of a turn, if anybody has begun it."""
        mine = (Reconciliation.source == source) & (Reconciliation.slot == slot)
        found: Reconciliation | None = self._database.read(lambda: Reconciliation.get_or_none(mine))
        return found

    def is_left(self, row: Reconciliation) -> bool:
        """Whether whoever had begun it is gone."""
        return row.state == ReconciliationState.RUNNING and row.lease_until < self._now()

    def take_over(self, row: Reconciliation) -> bool:
        """Go on with one that was left; False where another does by now."""
        holder = secrets.token_hex(16)
        as_seen = (Reconciliation.id == row.id) & (Reconciliation.holder == row.holder)
        changes = Reconciliation.update(holder=holder, lease_until=self._now() + LEASE)
        if not self._database.transact(lambda is_retry: changes.where(as_seen).execute()):
            return False
        row.holder = holder
        return True

    def end(
        self, row: Reconciliation, listing: Listing, found: Comparison, healed: int
    ) -> Reconciliation:
        """Note what came of it; nothing where another has gone on with it meanwhile."""
        is_done = not listing.reason
        row.ended_at = self._now()
        row.state = ReconciliationState.DONE if is_done else ReconciliationState.NOT_KNOWN
        row.reason = listing.reason[:LONGEST_REASON]
        row.listed, row.waiting, row.healed = len(listing.votes), found.waiting, healed
        row.missing, row.differs = len(found.missing), len(found.differing)
        row.unknown, row.found = len(found.unknown), json.dumps(describe_found(found))
        names = ("since", "ended_at", "state", "reason", "found", *COUNTS)
        changes = Reconciliation.update({name: getattr(row, name) for name in names})
        mine = (Reconciliation.id == row.id) & (Reconciliation.holder == row.holder)
        self._database.transact(lambda is_retry: changes.where(mine).execute())
        return row

    def give_up(self, row: Reconciliation, reason: str) -> None:
        """Note of one that nobody goes on with that it came to nothing."""
        changes = Reconciliation.update(
            state=ReconciliationState.NOT_KNOWN, reason=reason, ended_at=self._now()
        )
        ours = (Reconciliation.holder == row.holder) & (Reconciliation.id == row.id)
        running = ours & (Reconciliation.state == ReconciliationState.RUNNING)
        self._database.transact(lambda is_retry: changes.where(running).execute())


def describe_found(found: Comparison, most: int = KEPT) -> dict[str, Any]:
    """The first of each kind as JSON, without names."""
    return {
        "missing": [describe_vote(one) for one in found.missing[:most]],
        "differs": [{**describe_vote(one), "how": how} for one, how in found.differing[:most]],
        "unknown": [one._asdict() for one in found.unknown[:most]],
    }


def describe_vote(vote: ListedVote) -> dict[str, Any]:
    return {
        "type": vote.delivery.type,
        "id": vote.delivery.id,
        "server_id": vote.server_id,
        "occurred_at": vote.occurred_at,
    }
