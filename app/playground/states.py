"""What the playground shows of deliveries, of what a game server told, and of claims."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Of a vote that was delivered."""

    PAID = "paid"
    AGAIN = "again"  # it was paid before
    HEALED = "healed"  # it waited, and is paid now
    WAITING = "waiting"
    DEAD = "dead"
    TEST = "test"
    REFUSED = "refused"
    LOST = "lost"  # nobody answered
    STRAYED = "strayed"  # lost on purpose: Guerdon knows nothing of it
    FOUND = "found"  # lost on purpose, and paid since
    UNPAID = "unpaid"  # it is known, and earned nothing
    UNSEEN = "unseen"  # answered as done, and /v1 does not tell us of it


class ToldState(StrEnum):
    """Of an event that a game server told, with its reports."""

    FLYING = "flying"  # a report is under way
    DELIVERED = "delivered"
    AGAIN = "again"  # it was told before
    DEAD = "dead"  # a report is not sent any more
    PAID = "paid"  # and there is nothing to report
    WAITING = "waiting"
    STUCK = "stuck"  # the event itself was given up
    REFUSED = "refused"
    LOST = "lost"  # nobody answered


class ClaimState(StrEnum):
    """Of a claim that was leased."""

    LEASED = "leased"
    OVER = "over"  # its lease ran out
    DONE = "done"
    REFUSED = "refused"
