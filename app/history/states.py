"""What became of an event and of a send, as they are shown."""

from enum import StrEnum


class EventState(StrEnum):
    """Of an event."""

    WAITING = "waiting"
    SETTLED = "settled"
    DEAD = "dead"


class SendResult(StrEnum):
    """Of one send of a report; unknown while it runs, and for ever if its sender was killed."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
