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
LARGEST_TOGETHER = 65_536  # characters of data, of what is kept by a commit that pays others


@dataclass(frozen=True, slots=True)
class Kept(Outcome):
    """That of a delivery, named by its key, which the commit that it came of put into the inbox.

    It is due there at `due_at` (ms).
    """

    key: bytes = b""
    due_at: int = 0

    def share(self) -> Outcome:
        """As for somebody else who brought the same meanwhile: his delivery counts too, by his own commit."""
        return Outcome(self.state, self.reason, self.retry_in, self.events, self.grants)


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
        parcel = self._pack(delivery, outcome)
        [due_at] = self._write([], [parcel]) if count_again(parcel) else self._write([parcel])
        return due_at

    def keep_unpaid(self, payments: Sequence[Payment]) -> None:
        """Inside: keep those that have a delivery and failed by themselves, and note so in their outcomes.

        It is true once this is committed. Left out, for whoever delivers to keep it alone: what the others
        could fail or wait with, as what a column or JSON might refuse, or has a row that somebody may hold.
        """
        unpaid = [
            (payment, payment.work.delivery, payment.outcome)
            for payment in payments
            if payment.outcome and payment.work.delivery and payment.outcome.state in NOT_YET
        ]
        packed = {
            parcel.key: (payment, outcome, parcel)
            for payment, delivery, outcome in unpaid
            if (parcel := self._pack_usual(delivery, outcome))
        }
        there = list_there(list(packed))
        new = [one for key, one in sorted(packed.items()) if key not in there]
        if not new:
            return
        self._write([parcel for *_, parcel in new])
        for payment, outcome, parcel in new:
            payment.outcome = mark_kept(outcome, parcel)

    def _pack_usual(self, delivery: Delivery, outcome: Outcome) -> Parcel | None:
        """None for what is not surely taken by every column, whatever plugins made of it."""
        try:
            parcel = self._pack(delivery, outcome)
            texts = (delivery.source, delivery.type, delivery.id, delivery.token)
            is_usual = are_usual(texts) and is_unicode(parcel.error)
        except Exception:  # whoever keeps it alone tells it
            return None
        return parcel if is_usual and len(parcel.data) <= LARGEST_TOGETHER else None

    def _pack(self, delivery: Delivery, outcome: Outcome) -> Parcel:
        now = self._now()
        state = BoxState.DEAD if outcome.state == OutcomeState.DEAD else BoxState.READY
        due = now + int(self._choose_delay(0, outcome.retry_in) * 1000)
        error = outcome.reason[:LONGEST_ERROR]
        return Parcel(
            find_key(delivery), delivery, dump_json(delivery.data), state, error, due, now
        )

    def _write(self, new: Sequence[Parcel], again: Sequence[Parcel] = ()) -> list[int]:
        """Rows for the new ones, and what became of those that came again; when each is due (ms)."""
        self.insert_rows("guerdon_inbox", COLUMNS, [parcel.row for parcel in new])
        self.insert_rows("guerdon_attempts", ATTEMPT_COLUMNS, [parcel.attempt for parcel in new])
        due = [*(parcel.due for parcel in new), *map(keep_again, again)]
        reach("inbox: parked, before COMMIT")
        return due

    def insert_rows(
        self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Inside: in as few statements as the database takes."""
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


def list_there(keys: Sequence[bytes]) -> set[bytes]:
    """Those of these keys that have a row."""
    found: Any = Waiting.select(Waiting.ordered_key).where(Waiting.ordered_key << keys).tuples()
    return {bytes(key) for (key,) in found} if keys else set()


def mark_kept(outcome: Outcome, parcel: Parcel) -> Kept:
    return Kept(
        outcome.state, outcome.reason, outcome.retry_in, outcome.events,
        key=parcel.key, due_at=parcel.due,
    )  # fmt: skip


def find_key(delivery: Delivery) -> bytes:
    return make_event_key(delivery.source, delivery.type, delivery.id)
