"""Some rows of a plan, from its first to its last, so that a person sees what he is about to have done."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from app.database.act_models import ActChunk
from app.database.chunks import ROWS_AT_ONCE
from app.database.models import Report, Waiting
from app.database.opening import Database
from app.history.acts import ActRecord
from app.history.fingerprints import make_fingerprint
from app.upkeep.planning import REASONS, RETRY_EVENTS

CHUNKS = 5  # that are looked at


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row as it is now: `of` its source or reporter, `type` or kind, `id` of the event or the report."""

    of: str
    type: str
    id: str
    error: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Of the `number` rows that were looked at: what most errors say, how many do, and some rows."""

    number: int
    reasons: tuple[tuple[str, int], ...]
    rows: tuple[SampleRow, ...]


def read_sample(database: Database, act: ActRecord) -> Sample:
    """Look at some of the rows that an act is of; at none where nothing is kept of them any more."""
    chunks = -(-act.number // ROWS_AT_ONCE)
    numbers = sorted({place * (chunks - 1) // max(1, CHUNKS - 1) for place in range(CHUNKS)})
    found: list[list[SampleRow]] = []
    with database.connection_context():
        kept: Any = ActChunk.select(ActChunk.rows).where(
            (ActChunk.act == act.id) & (ActChunk.number << numbers)
        )
        for (ids,) in kept.order_by(ActChunk.number).tuples():
            found.append(read_chunk(act.what, [int(id) for id in ids.split()]))
    rows = [row for chunk in found for row in chunk]
    reasons = Counter(make_fingerprint(row.error) for row in rows)
    first = [chunk[0] for chunk in found if chunk]
    return Sample(len(rows), tuple(reasons.most_common(REASONS)), tuple(first))


def read_chunk(what: str, ids: list[int]) -> list[SampleRow]:
    query: Any
    if what == RETRY_EVENTS:
        query = Waiting.select(
            Waiting.source, Waiting.type, Waiting.event_id, Waiting.last_error
        ).where(Waiting.id << ids)
        return [SampleRow(*row) for row in query.order_by(Waiting.id).tuples()]
    query = Report.select(Report.reporter, Report.kind, Report.id, Report.last_error)
    rows: Any = query.where(Report.id << ids).order_by(Report.id).tuples()
    return [SampleRow(of, kind, str(id), error) for of, kind, id, error in rows]
