"""Events that wait: kept with what is needed to fetch and settle them again, until it works."""

import json
from collections.abc import Callable
from typing import Any

import structlog
from peewee import PeeweeException

from app.config import Inbox as InboxConfig
from app.database import Database
from app.deliveries import Deliveries
from app.errors import DatabaseUnavailable
from app.hookspecs import Delivery, Outcome
from app.leases import Lease, finish_lease, take_leases
from app.models import Attempt, Waiting, make_event_key
from app.rules import dump_json
from app.transactions import classify_error

log = structlog.get_logger()

LEASE_LENGTH = 120_000  # ms; longer than any single try takes
LONGEST_ERROR = 500  # characters
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
        self._now = now

    def accept(self, delivery: Delivery) -> Outcome:
        """Pay a delivery that just came; what cannot be paid is stored before this returns."""
        outcome, standing = self._deliveries.pay(delivery)
        key = make_event_key(delivery.source, delivery.type, delivery.id)
        try:
            if outcome.state in ("waiting", "held"):
                return self._park(delivery, key, outcome)
            if outcome.is_done and standing.is_waiting:
                self._close(key)
        except (PeeweeException, DatabaseUnavailable) as error:
            log.error("inbox not written", event_id=delivery.id, reason=type(error).__name__)
            if not outcome.is_done or outcome.state == "held":
                return Outcome("unavailable", "the database does not answer")
        return outcome

    def _park(self, delivery: Delivery, key: bytes, outcome: Outcome) -> Outcome:
        delay = self._choose_delay(0) if outcome.retry_in is None else outcome.retry_in
        error = outcome.reason[:LONGEST_ERROR]

        def park(attempt: int) -> int:
            now = self._now()
            due = now + int(delay * 1000)
            mine = Waiting.event_key == key
            changes = {"attempts": Waiting.attempts + 1, "last_error": error}
            if not Waiting.update(**changes).where(mine).execute():
                Waiting.insert(
                    event_key=key, source=delivery.source, type=delivery.type,
                    event_id=delivery.id, token=delivery.token, data=dump_json(delivery.data),
                    state="ready", due_at=due, lease_token="", lease_until=0, takes=0,
                    attempts=1, retries=0, last_error=error, received_at=now, waiting_since=now,
                ).execute()  # fmt: skip
            else:
                # A person sent a dead one again: it gets its chances anew.
                Waiting.update(
                    state="ready", due_at=due, takes=0, retries=0, waiting_since=now
                ).where(mine & (Waiting.state == "dead")).execute()
            Attempt.insert(event_key=key, at=now, what="delivery", detail=error).execute()
            row: int = Waiting.select(Waiting.due_at).where(mine).scalar()
            return row

        due_at = self._insist(park)
        name = {"event_type": delivery.type, "event_id": delivery.id}
        log.warning("waiting", **name, state=outcome.state, reason=outcome.reason)
        retry_in = max(1.0, (due_at - self._now()) / 1000)
        return Outcome(outcome.state, outcome.reason, retry_in, outcome.events)

    def _insist(self, unit: Callable[[int], int]) -> int:
        """Two workers may insert the same row: the second then finds and updates it."""
        try:
            return self._database.transact(unit)
        except PeeweeException as error:
            if classify_error(error) != "duplicate":
                raise
            return self._database.transact(unit)

    def _close(self, key: bytes) -> None:
        """A waiting event was settled by a redelivery."""

        def close(attempt: int) -> None:
            Waiting.update(state="settled", lease_token="").where(
                (Waiting.event_key == key) & (Waiting.state != "settled")
            ).execute()

        self._database.transact(close)

    def take_due(self, limit: int) -> Lease:
        """Lease up to `limit` events that are due; without [inbox] retry, those a person sent again."""
        now = self._now()
        latest = now if self._config.retry else AT_ONCE
        with self._database.connection_context():
            return take_leases(
                self._database, Waiting, Waiting.due_at <= latest, Waiting.due_at, limit, now,
                LEASE_LENGTH,
            )  # fmt: skip

    def retry_one(self, id: int, lease_token: str) -> Outcome:
        """Try one leased event again and finish its lease."""
        with self._database.connection_context():
            row = Waiting.get_by_id(id)
        delivery = Delivery(
            row.source, row.type, row.event_id, token=row.token, data=json.loads(row.data)
        )
        outcome, _ = self._deliveries.pay(delivery)
        now = self._now()
        changes: dict[str, Any]
        if outcome.state in ("settled", "known"):
            changes = {"state": "settled"}
        elif now - row.waiting_since >= self._config.give_up_after * 1000:
            changes = {"state": "dead", **self._count(outcome)}
        else:
            delay = outcome.retry_in
            if delay is None:
                delay = self._choose_delay(row.retries + 1)
            due = now + int(delay * 1000)
            changes = {"state": "ready", "due_at": due, "retries": row.retries + 1}
            changes |= {"takes": 0} | self._count(outcome)
        with self._database.connection_context():
            if changes["state"] != "settled":
                what = "retry" if changes["state"] == "ready" else "gave up"
                reason = outcome.reason[:LONGEST_ERROR]
                Attempt.insert(
                    event_key=bytes(row.event_key), at=now, what=what, detail=reason
                ).execute()
            finish_lease(self._database, Waiting, id, lease_token, changes)
        name = {"event_type": delivery.type, "event_id": delivery.id}
        log.info("retried", **name, state=changes["state"], reason=outcome.reason)
        return outcome

    def _count(self, outcome: Outcome) -> dict[str, Any]:
        return {"attempts": Waiting.attempts + 1, "last_error": outcome.reason[:LONGEST_ERROR]}

    def _choose_delay(self, retries: int) -> float:
        """Seconds until the next try after so many retries; the last delay repeats."""
        delays = self._config.retry_delays
        return delays[min(retries, len(delays) - 1)]

    def revive(self, keys: list[bytes] | None) -> int:
        """Make waiting or dead events due at once; all dead ones for None. How many there were."""
        now = self._now()
        chosen = Waiting.state == "dead" if keys is None else Waiting.event_key << keys
        changeable = chosen & (Waiting.state << ["dead", "ready"])

        def revive(attempt: int) -> int:
            rows: Any = Waiting.select(Waiting.event_key).where(changeable).tuples()
            found = [bytes(row[0]) for row in rows]
            for key in found:
                Attempt.insert(event_key=key, at=now, what="retry by hand", detail="").execute()
            Waiting.update(
                state="ready", due_at=AT_ONCE, takes=0, retries=0, waiting_since=now
            ).where(changeable).execute()
            return len(found)

        with self._database.connection_context():
            return self._database.transact(revive)
