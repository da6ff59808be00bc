"""What the comparisons with the vote sites' lists have come to: the last one of each source."""

from collections.abc import Iterator, Sequence

from app.database.states import ReconciliationState
from app.history.reconciliations import find_first_reconciliation, find_last_reconciliation
from app.metrics import families
from app.metrics.exposition import Sample

DAY = 86_400  # seconds


def look_at_reconciliations(sources: Sequence[str], every: int) -> Iterator[Sample]:
    """Inside a connection: of the sources that have a list; `every`: seconds between comparisons, or 0.

    How old the last one is tells nothing where they are made by hand, or seldom.
    """
    for source in sources:
        if (last := find_last_reconciliation(source)) is not None:
            yield Sample(families.RECONCILED_MISSING, (source,), last.missing)
        if 0 < every <= DAY and (time := find_last_time(source)):
            yield Sample(families.RECONCILED, (source,), time / 1000)


def find_last_time(source: str) -> int | None:
    """When (ms) a list was last compared to its end; before the first of those, since when it is tried."""
    done = find_last_reconciliation(source, ReconciliationState.DONE)
    if done is not None and done.ended_at is not None:
        return done.ended_at
    first = find_first_reconciliation(source)
    return first.begun_at if first else None
