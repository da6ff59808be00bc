"""What could not be paid yet: kept with what is needed to fetch and pay it again, until that works."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from peewee import PeeweeException

from app.config.sections import Inbox as InboxConfig
from app.database.chunks import run_in_chunks
from app.database.clock import make_clock
from app.database.error_kinds import ErrorKind, classify_error
from app.database.leases import Lease, finish_lease, take_leases
from app.database.models import Attempt, Waiting
from app.database.opening import Database
from app.database.states import AttemptKind, BoxState
from app.failpoints import reach
from app.paying.keeping import COLUMNS, LONGEST_ERROR, Keeping, Kept, find_key
from app.porch.errors import DatabaseUnavailable
from app.porch.json import dump_json
from app.porch.types import PAID, Delivery, Outcome, OutcomeState

log = structlog.get_logger()

PATIENCE = 5.0  # seconds: whoever delivers waits for it
LEASE_LENGTH = 60_000  # ms; longer than any single try takes
OWN_LEASE = 10_000  # ms; of what is paid as soon as it is put
LONGEST_DELAY = 30 * 86400.0  # seconds
AT_ONCE = 0  # due_at of what a person sent again: tried even where nothing is by itself
# Of so many event keys, those of events that wait or are dead; to be asked with ledger.IS_SETTLED.
STILL_WAITS = (
    "SELECT ordered_key, 0 FROM guerdon_inbox WHERE ordered_key IN ({marks})"
    f" AND state <> '{BoxState.SETTLED}'"
)
UNWRITABLE = (PeeweeException, DatabaseUnavailable, TypeError, ValueError)


class Inbox:
    """Keeps deliveries that could not be paid, and what became of each try."""

    def __init__(self, database: Database, config: InboxConfig, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._config = config
        self._now = make_clock(now)
        self.keeping = Keeping(database, self._choose_delay, self._now)

    def keep(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Store a delivery that just came and has this outcome, unless it is stored by now.

        The outcome as its source is told it.
        """
        try:
            if isinstance(outcome, Kept) and outcome.key == find_key(delivery):
                due_at = outcome.due_at
            else:
                due_at = self._transact(lambda: self.keeping.keep(delivery, outcome))
        except UNWRITABLE as error:  # TypeError, ValueError: a plugin's data that JSON cannot hold
            log.error("inbox not written", event_id=delivery.id, exc_info=error)
            return Outcome(OutcomeState.UNAVAILABLE, f"it could not be stored: {outcome.reason}")
        reach("inbox: parked, after COMMIT")
        told = log.bind(event_type=delivery.type, event_id=delivery.id)
        if outcome.state == OutcomeState.DEAD:
            told.error("can never be paid", reason=outcome.reason)
            return outcome
        told.warning("waiting", state=outcome.state, reason=outcome.reason)
        retry_in = max(1.0, (due_at - self._now()) / 1000)
        return Outcome(outcome.state, outcome.reason, retry_in, outcome.events)

    def put(
        self,
        deliveries: Sequence[Delivery],
        lease_token: str,
        state: BoxState = BoxState.LEASED,
    ) -> None:
        """Inside: deliveries of our own, leased to whoever has the token, for OWN_LEASE; or settled.

        The database's unique error if one is there.
        """
        now = self._now()
        rows = [
            (find_key(one), one.source, one.type, one.id, one.token, dump_json(one.data),
             state, AT_ONCE, lease_token, now + OWN_LEASE, 1, 0, 0, "", now, now)
            for one in deliveries
        ]  # fmt: skip
        self.keeping.insert_rows("guerdon_inbox", COLUMNS, rows)

    def has_put(self, delivery: Delivery, lease_token: str) -> bool:
        """Inside, or not: whether this one was `put` with just this token."""
        is_it = (Waiting.ordered_key == find_key(delivery)) & (Waiting.lease_token == lease_token)
        return bool(Waiting.select(Waiting.id).where(is_it).exists())

    def finish_own(
        self, lease_token: str, tried: Sequence[Delivery], paid: Sequence[Delivery]
    ) -> None:
        """End the lease of what was `put`: what is `paid` waits no longer, the rest is due at once."""
        paid_keys = {find_key(one) for one in paid}
        others = [key for one in tried if (key := find_key(one)) not in paid_keys]
        again = f"state = '{BoxState.READY}', takes = 0, lease_until = {self._now()}"

        def finish(is_retry: bool) -> None:
            self._change_own(lease_token, list(paid_keys), f"state = '{BoxState.SETTLED}'")
            self._change_own(lease_token, others, again)

        self._database.transact(finish)

    def _change_own(self, lease_token: str, keys: list[bytes], changes: str) -> None:
        """Inside: plain SQL, for a party has many payees."""
        if keys:
            mark = self._database.param
            marks = ", ".join([mark] * len(keys))
            self._database.execute_sql(
                f"UPDATE guerdon_inbox SET {changes} WHERE ordered_key IN ({marks})"
                f" AND lease_token = {mark}",
                [*keys, lease_token],
            )

    def _transact(self, unit: Callable[[], int]) -> int:
        """Two workers may insert the same row: the second then finds and updates it."""
        try:
            return self._database.transact(lambda is_retry: unit(), PATIENCE)
        except PeeweeException as error:
            if classify_error(error) != ErrorKind.DUPLICATE:
                raise
            return self._database.transact(lambda is_retry: unit(), PATIENCE)

    def close(self, delivery: Delivery) -> None:
        """What waited was paid after all, when it came again. Where that cannot be written, it is retried."""
        still = (Waiting.ordered_key == find_key(delivery)) & (Waiting.state != BoxState.SETTLED)

        def close(is_retry: bool) -> None:
            Waiting.update(state=BoxState.SETTLED).where(still).execute()
            reach("inbox: closed, before COMMIT")

        try:
            self._database.transact(close, PATIENCE)
        except UNWRITABLE as error:
            log.error("inbox not written", event_id=delivery.id, exc_info=error)
            return
        reach("inbox: closed, after COMMIT")

    def take_due(self, limit: int) -> Lease[Waiting]:
        """Lease up to `limit` events that are due; without [inbox] retry, those a person sent again."""
        now = self._now()
        latest = now if self._config.retry else AT_ONCE

        def note(rows: list[Waiting]) -> list[Waiting]:
            reach("inbox: leased, before COMMIT")
            return rows

        lease = take_leases(
            self._database, Waiting, Waiting.due_at <= latest, Waiting.due_at, limit, now,
            LEASE_LENGTH, note=note, running=self._now.find_running(LEASE_LENGTH),
        )  # fmt: skip
        if lease.rows:
            reach("inbox: leased, after COMMIT")
        return lease

    def begin_retry(self, id: int) -> "Retry":
        """A leased delivery, to be tried again now."""
        row = self._database.read(lambda: Waiting.get_by_id(id))
        delivery = Delivery(
            row.source, row.type, row.event_id, token=row.token, data=json.loads(row.data)
        )
        return Retry(row, delivery, self._now.ticks())

    def finish_retry(self, retry: "Retry", lease_token: str, outcome: Outcome) -> None:
        """Note what became of it, and what is next; the lease ends."""
        reach("inbox: tried, not noted")
        now = self._now()
        # Not since when it waits, but for how long: a clock may be set, and what came after its due time,
        # as an outage of ours, was no wait for a try.
        row, tried = retry.row, self._now.ticks() - retry.began
        changes = self._choose_next(
            row, outcome, now, max(0, row.due_at - row.waiting_since) + tried
        )
        state = changes["state"]

        def note() -> None:
            if state != BoxState.SETTLED:
                Attempt.insert(
                    ordered_key=bytes(row.ordered_key), at=now, detail=outcome.reason[:LONGEST_ERROR],
                    what=choose_kind(state, outcome),
                ).execute()  # fmt: skip
            reach("inbox: noted, before COMMIT")

        finish_lease(self._database, Waiting, row.id, lease_token, changes, note)
        reach("inbox: noted, after COMMIT")
        tell_retry(retry.delivery, state, outcome.reason)

    def _choose_next(self, row: Waiting, outcome: Outcome, now: int, waited: int) -> dict[str, Any]:
        """What becomes of a leased row after a try; it has `waited` for its tries so long (ms)."""
        if outcome.state in PAID:
            return {"state": BoxState.SETTLED}
        gives_up = waited >= self._config.give_up_after * 1000
        if gives_up or outcome.state == OutcomeState.DEAD:
            return {"state": BoxState.DEAD, **self._count(outcome)}
        due = now + int(self._choose_delay(row.retries + 1, outcome.retry_in) * 1000)
        again = {
            "state": BoxState.READY,
            "due_at": due,
            "lease_until": now,
            "waiting_since": now - waited,
        }
        return again | {"retries": row.retries + 1, "takes": 0} | self._count(outcome)

    def _count(self, outcome: Outcome) -> dict[str, Any]:
        return {"attempts": Waiting.attempts + 1, "last_error": outcome.reason[:LONGEST_ERROR]}

    def _choose_delay(self, retries: int, wanted: float | None) -> float:
        """Seconds until the next try after so many retries, the last delay repeats; or as `wanted`."""
        delays = self._config.retry_delays
        if isinstance(wanted, int | float) and math.isfinite(wanted):
            return min(max(wanted, 0.0), LONGEST_DELAY)
        return delays[min(retries, len(delays) - 1)]

    def revive(
        self,
        keys: list[bytes] | None,
        progress: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    ) -> int:
        """Make waiting or dead events due at once; all dead ones for None. How many there were."""
        states = [BoxState.DEAD] if keys is None else [BoxState.DEAD, BoxState.READY]
        chosen = Waiting.state << states
        if keys is not None:
            chosen &= Waiting.ordered_key << keys
        all_ids: Any = Waiting.select(Waiting.id).where(chosen).order_by(Waiting.id).tuples()
        ids = self._database.read(lambda: [row[0] for row in all_ids])
        revive = partial(self.revive_rows, states)
        return run_in_chunks(self._database, ids, revive, progress)

    def revive_rows(self, states: Sequence[str], ids: Sequence[int]) -> int:
        """Inside: make those of these rows that are in one of `states` due at once; how many there were."""
        now = self._now()
        changeable = (Waiting.id << list(ids)) & (Waiting.state << list(states))
        rows: Any = Waiting.select(Waiting.ordered_key).where(changeable).tuples()
        told = {"at": now, "what": AttemptKind.RETRY_BY_HAND, "detail": ""}
        found = [{"ordered_key": bytes(row[0]), **told} for row in rows]
        if found:
            Attempt.insert_many(found).execute()
        anew = {"due_at": AT_ONCE, "lease_until": now, "waiting_since": now}
        Waiting.update(state=BoxState.READY, takes=0, retries=0, **anew).where(changeable).execute()
        return len(found)


def choose_kind(state: str, outcome: Outcome) -> AttemptKind:
    """What a try is called that was not the last, or was, after which its event is in this state."""
    if outcome.state == OutcomeState.DEAD:
        return AttemptKind.NEVER
    return AttemptKind.RETRY if state == BoxState.READY else AttemptKind.GAVE_UP


@dataclass(frozen=True, slots=True)
class Retry:
    """One try of a leased delivery, on its way."""

    row: Waiting
    delivery: Delivery
    began: int  # ms, by the clock that is never set


def tell_retry(delivery: Delivery, state: str, reason: str) -> None:
    told = log.bind(event_type=delivery.type, event_id=delivery.id)
    if state == BoxState.DEAD:
        told.error("gave up", reason=reason)
    else:
        told.info("retried", state=state, reason=reason)
