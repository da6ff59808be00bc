"""What became of an event, of a send and of an act, as they are shown."""

from enum import StrEnum


class EventState(StrEnum):
    """Of an event."""

    WAITING = "waiting"
    SETTLED = "settled"
    DEAD = "dead"


class ReportState(StrEnum):
    """Of a report; one that waits is ready or leased."""

    WAITING = "waiting"
    READY = "ready"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"


class SendResult(StrEnum):
    """Of one send of a report; unknown while it runs, and for ever if its sender was killed."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ActState(StrEnum):
    """Of what a person does. One that is planned was not asked for yet; an act of another's runs."""

    PLANNED = "planned"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
