"""Writes what cannot be paid into the inbox: alone, or in the commit of what came with it and was paid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.database.keys import make_event_key
from app.database.leases import correct_due
from app.database.models import Attempt, Waiting
from app.database.opening import Database
from app.database.statements import cut_rows, insert_sql
from app.database.states import AttemptKind, BoxState
from app.failpoints import reach
from app.paying.ledger import are_usual
from app.paying.payments import Payment
from app.porch.json import dump_json
from app.porch.text import is_unicode
from app.porch.types import NOT_YET, Delivery, Outcome, OutcomeState

COLUMNS = (
    "ordered_key", "source", "type", "event_id", "token", "data", "state", "due_at", "lease_token",
    "lease_until", "takes", "attempts", "retries", "last_error", "received_at", "waiting_since",
)  # fmt: skip
ATTEMPT_COLUMNS = ("ordered_key", "at", "what", "detail")
LONGEST_ERROR = 500  # characters
ATTEMPTS_KEPT = 200  # of one event; later ones are only counted


@dataclass(frozen=True, slots=True)
class Kept(Outcome):
    """That of a delivery, named by its key, which is in the inbox by now, and due at `due_at` (ms)."""

    key: bytes = b""
    due_at: int = 0


class Parcel(NamedTuple):
    """A delivery to be kept as it is now; `due` and `now` are in ms, `data` is JSON."""

    key: bytes
    delivery: Delivery
    data: str
    state: BoxState
    error: str
    due: int
    now: int

    @property
    def attempt(self) -> tuple[bytes, int, str, str]:
        is_dead = self.state == BoxState.DEAD
        what = AttemptKind.NEVER if is_dead else AttemptKind.DELIVERY
        return self.key, self.now, what, self.error

    @property
    def row(self) -> tuple[Any, ...]:
        one, now = self.delivery, self.now
        return (self.key, one.source, one.type, one.id, one.token, self.data, self.state, self.due,
                "", now, 0, 1, 0, self.error, now, now)  # fmt: skip


class Keeping:
    """The rows of the inbox for what cannot be paid, and what their timelines say of it."""

    def __init__(
        self,
        database: Database,
        choose_delay: Callable[[int, float | None], float],
        now: Callable[[], int],
    ) -> None:
        """`choose_delay` takes how many retries there were and what was wanted, and gives seconds."""
        self._database = database
        self._choose_delay = choose_delay
        self._now = now

    def keep(self, delivery: Delivery, outcome: Outcome) -> int:
        """Inside: the row of a delivery that has this outcome, new or as it is there; when it is due (ms).

        Raises the database's unique error where somebody else makes it at this moment, and TypeError or
        ValueError for data that JSON cannot hold.
        """
        [due_at] = self._write([self._pack(delivery, outcome)])
        return due_at

    def keep_unpaid(self, payments: Sequence[Payment]) -> None:
        """Inside: keep those that have a delivery and failed by themselves, and note so in their outcomes.

        What a column or JSON might refuse is left out, for the others would fail with it.
        """
        unpaid = [
            (payment, payment.work.delivery, payment.outcome)
            for payment in payments
            if payment.outcome and payment.work.delivery and must_be_kept(payment.outcome)
        ]
        parcels = [
            (payment, outcome, parcel)
            for payment, delivery, outcome in unpaid
            if is_usual(delivery, outcome) and (parcel := self._try_to_pack(delivery, outcome))
        ]
        due = self._write([parcel for *_, parcel in parcels]) if parcels else []
        for (payment, outcome, parcel), due_at in zip(parcels, due, strict=True):
            payment.outcome = mark_kept(outcome, parcel.key, due_at)

    def _try_to_pack(self, delivery: Delivery, outcome: Outcome) -> Parcel | None:
        try:
            return self._pack(delivery, outcome)
        except (TypeError, ValueError):  # who keeps it alone says so
            return None

    def _pack(self, delivery: Delivery, outcome: Outcome) -> Parcel:
        now = self._now()
        state = BoxState.DEAD if outcome.state == OutcomeState.DEAD else BoxState.READY
        due = now + int(self._choose_delay(0, outcome.retry_in) * 1000)
        error = outcome.reason[:LONGEST_ERROR]
        return Parcel(
            find_key(delivery), delivery, dump_json(delivery.data), state, error, due, now
        )

    def _write(self, parcels: Sequence[Parcel]) -> list[int]:
        """When each of these is due (ms)."""
        keys = [parcel.key for parcel in parcels]
        found: Any = Waiting.select(Waiting.ordered_key).where(Waiting.ordered_key << keys).tuples()
        known = {bytes(key) for (key,) in found}
        again = {one.key: one for one in parcels if one.key in known and count_again(one)}
        new = [parcel for parcel in parcels if parcel.key not in again]
        self._insert("guerdon_inbox", COLUMNS, [parcel.row for parcel in new])
        self._insert("guerdon_attempts", ATTEMPT_COLUMNS, [parcel.attempt for parcel in new])
        due = {parcel.key: parcel.due for parcel in new}
        due |= {key: keep_again(parcel) for key, parcel in again.items()}
        reach("inbox: parked, before COMMIT")
        return [due[key] for key in keys]

    def _insert(
        self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        for some in cut_rows(rows, self._database.bytes_at_once):
            sql = insert_sql(table, columns, len(some), self._database.param)
            self._database.execute_sql(sql, [value for row in some for value in row])


def count_again(parcel: Parcel) -> bool:
    """Inside: note in its row that it came again; False where none is there."""
    changes = {"attempts": Waiting.attempts + 1, "last_error": parcel.error}
    return bool(Waiting.update(**changes).where(Waiting.ordered_key == parcel.key).execute())


def keep_again(parcel: Parcel) -> int:
    """Inside: what its row, which is there, becomes; when it is due (ms)."""
    mine = Waiting.ordered_key == parcel.key
    if parcel.state == BoxState.DEAD:  # whoever has leased it finds that out himself
        idle = mine & (Waiting.state == BoxState.READY)
        Waiting.update(state=parcel.state, takes=0).where(idle).execute()
    else:  # its source sent a dead one again: it gets its chances anew
        anew = {"due_at": parcel.due, "lease_until": parcel.now, "takes": 0, "retries": 0}
        dead = mine & (Waiting.state == BoxState.DEAD)
        changes = {"state": BoxState.READY, "waiting_since": parcel.now}
        Waiting.update(**changes, **anew).where(dead).execute()
    row: Waiting = Waiting.get(mine)
    if row.attempts <= ATTEMPTS_KEPT:
        attempt = dict(zip(ATTEMPT_COLUMNS, parcel.attempt, strict=True))
        Attempt.insert(**attempt).execute()
    return correct_due(row, parcel.now)


def must_be_kept(outcome: Outcome) -> bool:
    """Whether a delivery with this outcome belongs into the inbox."""
    return outcome.state in NOT_YET or outcome.state == OutcomeState.DEAD


def is_usual(delivery: Delivery, outcome: Outcome) -> bool:
    """Whether every column takes it for sure, as nearly all are."""
    texts = (delivery.source, delivery.type, delivery.id, delivery.token)
    return are_usual(texts) and is_unicode(outcome.reason)


def mark_kept(outcome: Outcome, key: bytes, due_at: int) -> Kept:
    return Kept(
        outcome.state, outcome.reason, outcome.retry_in, outcome.events, key=key, due_at=due_at
    )


def find_key(delivery: Delivery) -> bytes:
    return make_event_key(delivery.source, delivery.type, delivery.id)
