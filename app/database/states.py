"""The states of the rows that wait for something, and what is noted of tries."""

from enum import StrEnum

from app.porch.claims import ClaimState


class BoxState(StrEnum):
    """Of a row in a box. One in the inbox ends as settled, a report as delivered, a claim as done."""

    READY = "ready"
    LEASED = "leased"
    SETTLED = "settled"
    DELIVERED = "delivered"
    DONE = "done"
    DEAD = "dead"


ON_THEIR_WAY = (BoxState.READY, BoxState.LEASED)
CLAIMS_OPEN = (
    ClaimState.READY, ClaimState.LEASED, ClaimState.SENDING, ClaimState.WAITS, ClaimState.UNKNOWN,
    ClaimState.REFUSED,
)  # fmt: skip
REPORT_STATES = (*ON_THEIR_WAY, BoxState.DELIVERED, BoxState.DEAD)


class AttemptKind(StrEnum):
    """What an attempt at a waiting event was."""

    DELIVERY = "delivery"
    RETRY = "retry"
    GAVE_UP = "gave up"
    NEVER = "never payable"
    RETRY_BY_HAND = "retry by hand"
    RECONCILED = "reconciled"
    POLLED = "polled"


class ReconciliationState(StrEnum):
    """Of a comparison with a vote site's list."""

    RUNNING = "running"
    DONE = "done"
    NOT_KNOWN = "not known"  # the list was cut short, or there was none
