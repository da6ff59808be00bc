"""What is paid together, as values: a delivery's work, the payment it becomes, why one could not be made.

Who makes payments: settler.py decides what goes into one commit, payer.py does what is in it, ledger.py
writes the rows that say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from peewee import PeeweeException

from app.counting.verdicts import Verdict, dump_verdicts
from app.database.complaints import explain_refusal
from app.database.error_kinds import ErrorKind, classify_error
from app.paying.ledger import Entry, key_of
from app.porch.errors import ConnectionLost, GuerdonError, NotReady
from app.porch.types import Delivery, Event, Grant, Outcome, OutcomeState, Player, Report
from app.rules.calendar import choose_moment
from app.rules.gifts import Gift

log = structlog.get_logger()

LOCKED = "somebody else holds a lock on its rows"
HUNG_UP = "the database hung up on it each time: is it larger than its max_allowed_packet?"


@dataclass(slots=True)
class Work:
    """The events of one delivery: paid together or not at all. `token` names who signed it.

    It came at `received_at` (ms); None: now. What cannot be paid is kept in the inbox by the commit that
    pays the others, where its `delivery` is said.
    """

    events: Sequence[Event]
    token: str = ""
    received_at: int | None = None
    delivery: Delivery | None = None
    keys: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = [key_of(event) for event in self.events]


@dataclass(slots=True)
class Line:
    """One event of a payment: what it earns, who gets it, and what the ledger will keep of it."""

    event: Event
    key: bytes
    moment: int  # ms, by which it counts
    gifts: list[Gift] = field(default_factory=list)
    wants_player: bool = False  # it may earn something, or is counted
    player: Player | None = None
    recent_key: bytes = b""  # whose it is, where its source says Event.not_within
    repeats: int | None = None  # ms: when the event was that it comes too soon after
    verdicts: list[Verdict] | None = None  # of the rules, where they ask more than the event
    grants: list[Grant] = field(default_factory=list)
    data: str = ""  # the event's, as JSON
    verdicts_json: str | None = None
    receipts: list[str] = field(default_factory=list)  # the grants', as JSON
    reports: list[Report] = field(default_factory=list)


@dataclass(slots=True)
class Payment:
    """One work on its way through a transaction, and what became of it."""

    work: Work
    outcome: Outcome | None = None  # None: it is being paid
    lines: list[Line] = field(default_factory=list)  # of its events that are not settled yet
    known: list[int] = field(default_factory=list)  # the row ids of the others
    is_careful: bool = False  # what plugins write for it can be undone alone
    giving: Gift | None = None  # what it is being given, or failed at
    met_lock: bool = False  # it failed at rows that somebody else held

    def reset(self, settled: Mapping[bytes, int], now: int) -> None:
        """Forget an earlier try. `settled`: the row ids of events that are settled already."""
        received_at = now if self.work.received_at is None else self.work.received_at
        unpaid = {
            key: event
            for key, event in zip(self.work.keys, self.work.events, strict=True)
            if key not in settled
        }
        self.outcome = self.giving = None
        self.lines = [
            Line(event, key, find_moment(event, received_at)) for key, event in unpaid.items()
        ]
        self.known = list({settled[key]: None for key in self.work.keys if key in settled})

    def fail(self, error: Exception) -> None:
        """It cannot be made, by itself; the reason in words fit for its source."""
        self.outcome = explain_failure(self.work, error)
        self.met_lock = is_lock(error)

    def finish(self) -> None:
        """All of it is in the transaction."""
        grants = [grant for line in self.lines for grant in line.grants]
        events = [line.event for line in self.lines]
        is_repeated = bool(self.lines) and all(line.repeats is not None for line in self.lines)
        state = OutcomeState.REPEATED if is_repeated else OutcomeState.SETTLED
        reason = "it comes too soon after another of the same player" if is_repeated else ""
        self.outcome = Outcome(state, reason, events=events, grants=grants)


def find_moment(event: Event, received_at: int) -> int:
    """The time (ms) by which an event counts; of one whose time is none, find_misfit says so."""
    is_time = type(event.occurred_at) is int
    return choose_moment(event.occurred_at if is_time else None, received_at)


class Spoilt(GuerdonError):
    """A transaction holds what cannot be undone alone: it is undone whole, without its culprits."""

    def __init__(self, culprits: Sequence[tuple[Payment, Exception]]) -> None:
        super().__init__("a payment failed in a way that cannot be undone alone")
        self.culprits = culprits


class NothingPaid(GuerdonError):
    """No payment of a transaction is left, each has its outcome: it is undone rather than kept."""


class NotTogether(GuerdonError):
    """Works cannot all be paid in one transaction: it is undone, and they are settled by themselves."""


def find_order(payment: Payment) -> tuple[int, bytes]:
    """In which order the payments of a batch are counted: as they happened."""
    moment = payment.lines[0].moment if payment.lines else 0
    return moment, payment.work.keys[0]


def finish_verdicts(line: Line) -> None:
    """Write draws into the receipts of what they gave; what the ledger keeps of the verdicts."""
    place = 0
    for verdict in line.verdicts or ():
        for number, draw in verdict.draws:
            grant = line.grants[place + number]
            line.grants[place + number] = replace(
                grant, receipt={**grant.receipt, "draw": draw.describe()}
            )
        place += len(verdict.gifts)
    if line.verdicts:
        line.verdicts_json = dump_verdicts(line.verdicts)


def make_entry(payment: Payment, line: Line) -> Entry:
    """A line as the ledger keeps it."""
    player = line.player.key if line.player is not None else None
    token = payment.work.token
    return Entry(line.key, line.event, token, line.data, player, line.moment, line.verdicts_json)


def repeat_outcome(first: Outcome) -> Outcome:
    """The outcome of a second delivery of the same event in one batch."""
    return (
        Outcome(OutcomeState.KNOWN, events=first.events)
        if first.state == OutcomeState.SETTLED
        else first
    )


def explain_failure(work: Work, error: Exception) -> Outcome:
    """The outcome of a work that failed by itself: the reason in words fit for its source."""
    event = work.events[0]
    if isinstance(error, NotReady):
        return Outcome(OutcomeState.WAITING, error.reason, error.retry_in)
    log.error("not settled", event_type=event.type, event_id=event.id, exc_info=error)
    if isinstance(error, ConnectionLost):
        return Outcome(OutcomeState.WAITING, HUNG_UP)
    if isinstance(error, GuerdonError):
        return Outcome(OutcomeState.WAITING, str(error))
    if not isinstance(error, PeeweeException):
        return Outcome(
            OutcomeState.WAITING, f"it failed in a way nobody expected ({type(error).__name__})"
        )
    if is_lock(error):
        return Outcome(OutcomeState.WAITING, LOCKED)
    return Outcome(OutcomeState.WAITING, explain_refusal(error))


def is_lock(error: Exception) -> bool:
    """Whether the database says that somebody else holds what is wanted."""
    return isinstance(error, PeeweeException) and classify_error(error) == ErrorKind.LOCKED
