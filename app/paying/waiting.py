"""Events that wait: kept with what is needed to fetch and settle them again, until it works."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from peewee import PeeweeException

from app.config.reading import Inbox as InboxConfig
from app.config.rules import dump_json
from app.database.chunks import run_in_chunks
from app.database.clock import make_clock
from app.database.error_kinds import classify_error
from app.database.keys import make_event_key
from app.database.leases import Lease, correct_due, finish_lease, take_leases
from app.database.models import Attempt, Waiting
from app.database.opening import Database
from app.failpoints import reach
from app.paying.accepting import Deliveries
from app.porch.errors import DatabaseUnavailable
from app.porch.hookspecs import Delivery, Outcome

log = structlog.get_logger()

PATIENCE = 5.0  # seconds: whoever delivers waits for it
LEASE_LENGTH = 60_000  # ms; longer than any single try takes
LONGEST_ERROR = 500  # characters
LONGEST_DELAY = 30 * 86400.0  # seconds
ATTEMPTS_KEPT = 200  # of one event; later ones are only counted
AT_ONCE = 0  # due_at of what a person sent again: tried even where nothing is by itself


class Inbox:
    """Accepts deliveries and keeps those that could not be settled."""

    def __init__(
        self,
        database: Database,
        deliveries: Deliveries,
        config: InboxConfig,
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._config = config
        self._now = make_clock(now)

    def accept(self, delivery: Delivery) -> Outcome:
        """Pay a delivery that just came; what cannot be paid is stored before this returns."""
        outcome, standing = self._deliveries.pay(delivery)
        try:
            if outcome.state in ("waiting", "held"):
                return self._park(delivery, outcome)
            if outcome.is_done and standing.is_waiting:
                self._close(make_event_key(delivery.source, delivery.type, delivery.id))
        except (PeeweeException, DatabaseUnavailable, TypeError, ValueError) as error:
            # TypeError, ValueError: a plugin's delivery with data that JSON cannot hold.
            log.error("inbox not written", event_id=delivery.id, exc_info=error)
            if not outcome.is_done or outcome.state == "held":
                return Outcome("unavailable", f"it could not be stored: {outcome.reason}")
        return outcome

    def _park(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        key = make_event_key(delivery.source, delivery.type, delivery.id)
        delay = self._choose_delay(0, outcome.retry_in)
        error = outcome.reason[:LONGEST_ERROR]

        def park(attempt: int) -> int:
            now = self._now()
            due = now + int(delay * 1000)
            mine = Waiting.ordered_key == key
            changes = {"attempts": Waiting.attempts + 1, "last_error": error}
            if not Waiting.update(**changes).where(mine).execute():
                Waiting.insert(
                    ordered_key=key, source=delivery.source, type=delivery.type,
                    event_id=delivery.id, token=delivery.token, data=dump_json(delivery.data),
                    state="ready", due_at=due, lease_token="", lease_until=now, takes=0,
                    attempts=1, retries=0, last_error=error, received_at=now, waiting_since=now,
                ).execute()  # fmt: skip
            else:
                # A person sent a dead one again: it gets its chances anew.
                Waiting.update(
                    state="ready",
                    due_at=due,
                    lease_until=now,
                    takes=0,
                    retries=0,
                    waiting_since=now,
                ).where(mine & (Waiting.state == "dead")).execute()
            row: Any = Waiting.get(mine)
            if row.attempts <= ATTEMPTS_KEPT:
                Attempt.insert(ordered_key=key, at=now, what="delivery", detail=error).execute()
            reach("inbox: parked, before COMMIT")
            return correct_due(row, now)

        due_at = self._insist(park)
        reach("inbox: parked, after COMMIT")
        name = {"event_type": delivery.type, "event_id": delivery.id}
        log.warning("waiting", **name, state=outcome.state, reason=outcome.reason)
        retry_in = max(1.0, (due_at - self._now()) / 1000)
        return Outcome(outcome.state, outcome.reason, retry_in, outcome.events)

    def _insist(self, unit: Callable[[int], int]) -> int:
        """Two workers may insert the same row: the second then finds and updates it."""
        try:
            return self._database.transact(unit, PATIENCE)
        except PeeweeException as error:
            if classify_error(error) != "duplicate":
                raise
            return self._database.transact(unit, PATIENCE)

    def _close(self, key: bytes) -> None:
        """A waiting event was settled by a redelivery."""

        def close(attempt: int) -> None:
            Waiting.update(state="settled").where(
                (Waiting.ordered_key == key) & (Waiting.state != "settled")
            ).execute()
            reach("inbox: closed, before COMMIT")

        self._database.transact(close, PATIENCE)
        reach("inbox: closed, after COMMIT")

    def take_due(self, limit: int) -> Lease:
        """Lease up to `limit` events that are due; without [inbox] retry, those a person sent again."""
        now = self._now()
        latest = now if self._config.retry else AT_ONCE

        def note(rows: list[Any]) -> list[Any]:
            reach("inbox: leased, before COMMIT")
            return rows

        lease = take_leases(
            self._database, Waiting, Waiting.due_at <= latest, Waiting.due_at, limit, now,
            LEASE_LENGTH, note=note, running=self._now.find_running(LEASE_LENGTH),
        )  # fmt: skip
        if lease.rows:
            reach("inbox: leased, after COMMIT")
        return lease

    def retry_one(self, id: int, lease_token: str) -> Outcome:
        """Try one leased event again and finish its lease."""
        row = self._database.ask(lambda attempt: Waiting.get_by_id(id))
        delivery = Delivery(
            row.source, row.type, row.event_id, token=row.token, data=json.loads(row.data)
        )
        # Not since when it waits, but for how long: a clock may be set, and what came after its due time,
        # as an outage of ours, was no wait for a try.
        waited, began = max(0, row.due_at - row.waiting_since), self._now.ticks()
        with self._database.give_back():
            outcome, _ = self._deliveries.pay(delivery)
        reach("inbox: tried, not noted")
        now = self._now()
        waited += self._now.ticks() - began
        changes = self._choose_next(row, outcome, now, waited)
        state = changes["state"]

        def note() -> None:
            if state != "settled":
                Attempt.insert(
                    ordered_key=bytes(row.ordered_key), at=now, detail=outcome.reason[:LONGEST_ERROR],
                    what="retry" if state == "ready" else "gave up",
                ).execute()  # fmt: skip
            reach("inbox: noted, before COMMIT")

        finish_lease(self._database, Waiting, id, lease_token, changes, note)
        reach("inbox: noted, after COMMIT")
        name = {"event_type": delivery.type, "event_id": delivery.id}
        if state == "dead":
            log.error("gave up", **name, reason=outcome.reason)
        else:
            log.info("retried", **name, state=state, reason=outcome.reason)
        return outcome

    def _choose_next(self, row: Any, outcome: Outcome, now: int, waited: int) -> dict[str, Any]:
        """What becomes of a leased row after a try; it has `waited` for its tries so long (ms)."""
        if outcome.state in ("settled", "known"):
            return {"state": "settled"}
        if waited >= self._config.give_up_after * 1000:
            return {"state": "dead", **self._count(outcome)}
        due = now + int(self._choose_delay(row.retries + 1, outcome.retry_in) * 1000)
        again = {"state": "ready", "due_at": due, "lease_until": now, "waiting_since": now - waited}
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
        now = self._now()
        states = ["dead"] if keys is None else ["dead", "ready"]
        chosen = Waiting.state << states
        if keys is not None:
            chosen &= Waiting.ordered_key << keys

        def revive(ids: Sequence[int]) -> int:
            changeable = (Waiting.id << list(ids)) & (Waiting.state << states)
            rows: Any = Waiting.select(Waiting.ordered_key).where(changeable).tuples()
            told = {"at": now, "what": "retry by hand", "detail": ""}
            found = [{"ordered_key": bytes(row[0]), **told} for row in rows]
            if found:
                Attempt.insert_many(found).execute()
            anew = {"due_at": AT_ONCE, "takes": 0, "retries": 0, "waiting_since": now}
            Waiting.update(state="ready", **anew).where(changeable).execute()
            return len(found)

        all_ids: Any = Waiting.select(Waiting.id).where(chosen).order_by(Waiting.id).tuples()
        ids = self._database.ask(lambda attempt: [row[0] for row in all_ids])
        return run_in_chunks(self._database, ids, revive, progress)
