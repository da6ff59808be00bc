"""What is to be done to which rows: those that are counted now, each by its id, and no others ever.

A filter alone would mean rows that came later too; and an id's ceiling those that were dead only later.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.database.act_models import Act, ActChunk
from app.database.chunks import ROWS_AT_ONCE, run_in_chunks
from app.database.opening import Database
from app.database.states import BoxState
from app.history.acts import PLANNED, check_words, write_act
from app.history.filters import EventFilter, ReportFilter
from app.history.fingerprints import make_fingerprint
from app.history.listing import is_of_cause, want_open_events, want_reports
from app.history.qualifiers import BadFilter
from app.history.states import EventState, ReportState
from app.porch.text import format_time

RETRY_EVENTS, RETRY_REPORTS = "retry events", "retry reports"
MOST_ROWS = 200_000  # of one act
REASONS = 10  # that are told of a plan
LASTS = 3_600_000  # ms in which a plan may be started
REVIVABLE = {
    None: (BoxState.READY, BoxState.DEAD),
    EventState.WAITING: (BoxState.READY,),
    EventState.DEAD: (BoxState.DEAD,),
    ReportState.WAITING: (BoxState.READY,),
    ReportState.READY: (BoxState.READY,),
    ReportState.DEAD: (BoxState.DEAD,),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an act of this `id` will do once it is started, to exactly `count` rows.

    `about` is the filter's text, `oldest` and `newest` are when they came (ms), `ceiling` is the highest id.
    `reasons`: what most of their errors say, and how many do. Not `is_whole`: there are more such rows
    than one act may take, and it takes the first.
    """

    id: int
    what: str
    about: str
    count: int
    oldest: int | None
    newest: int | None
    ceiling: int | None
    reasons: tuple[tuple[str, int], ...]
    is_whole: bool

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id, "what": self.what, "about": self.about, "count": self.count,
            "oldest": format_time(self.oldest), "newest": format_time(self.newest),
            "ceiling": self.ceiling, "reasons": [list(one) for one in self.reasons],
            "is_whole": self.is_whole,
        }  # fmt: skip


def list_states(chosen: EventFilter | ReportFilter) -> tuple[BoxState, ...]:
    """The states of rows that are tried again by this filter; BadFilter where there can be none."""
    is_wrong = isinstance(chosen, EventFilter) and not chosen.may_be_open
    if is_wrong or chosen.state not in REVIVABLE:
        raise BadFilter(
            "only what waits or is dead is tried again: say state:dead or state:waiting, and no player"
            " or server"
        )
    return REVIVABLE[chosen.state]


def find_rows(
    database: Database, chosen: EventFilter | ReportFilter
) -> tuple[list[tuple[int, int, str]], bool]:
    """Id, time (ms) and error of the rows that this filter means, the lowest ids first; are these all?"""
    states = list_states(chosen)
    if isinstance(chosen, EventFilter):
        table, of, time = "guerdon_inbox", "source", "received_at"
        wanted = want_open_events(database, chosen)
    else:
        table, of, time = "guerdon_reports", "reporter", "created_at"
        wanted = want_reports(database, chosen)
    where = wanted.among("state", states)
    has_body = "" if isinstance(chosen, EventFilter) else " AND stripped_at IS NULL"
    sql = (
        f"SELECT id, {time}, {of}, '', '', '', last_error FROM {table} WHERE {where}{has_body}"
        f" LIMIT {MOST_ROWS + 1}"
    )
    rows: Sequence[Any] = database.execute_sql(sql, wanted.params).fetchall()
    found = [(row[0], row[1], row[6]) for row in rows if is_of_cause(chosen.cause, row)]
    return sorted(found), len(rows) <= MOST_ROWS


def make_plan(
    database: Database,
    chosen: EventFilter | ReportFilter,
    person: str,
    now: int,
    reason: str = "",
    limit: int | None = None,
) -> Plan:
    """Count what this filter means now, `limit` rows at most, and keep which they are."""
    check_words(person, reason)
    forget_plans(database, now)
    found, is_whole = database.read(lambda: find_rows(database, chosen))
    rows = found[: min(limit or MOST_ROWS, MOST_ROWS)]
    times = [time for _, time, _ in rows]
    oldest, ceiling = min(times, default=None), rows[-1][0] if rows else None
    what = RETRY_EVENTS if isinstance(chosen, EventFilter) else RETRY_REPORTS
    # It is of no row, and cannot be started, until all that it is of are kept.
    more = {"number": 0, "oldest": oldest, "ceiling": ceiling, "started_at": None}
    id = database.transact(
        lambda is_retry: write_act(person, what, str(chosen), now, reason, state=PLANNED, **more)
    )
    keep_rows(database, id, [row[0] for row in rows])
    whole = Act.update(number=len(rows)).where(Act.id == id)
    database.transact(lambda is_retry: whole.execute())
    reasons = Counter(make_fingerprint(error) for _, _, error in rows)
    return Plan(
        id, what, str(chosen), len(rows), oldest, max(times, default=None), ceiling,
        tuple(reasons.most_common(REASONS)), is_whole or limit is not None,
    )  # fmt: skip


def keep_rows(database: Database, act: int, ids: Sequence[int]) -> None:
    chunks = [
        {
            "act": act,
            "number": number,
            "rows": " ".join(map(str, ids[start : start + ROWS_AT_ONCE])),
        }
        for number, start in enumerate(range(0, len(ids), ROWS_AT_ONCE))
    ]

    def keep(some: Sequence[dict[str, Any]]) -> int:
        numbers = [one["number"] for one in some]
        # The reply to an earlier COMMIT of ours may have been lost.
        ActChunk.delete().where((ActChunk.act == act) & (ActChunk.number << numbers)).execute()
        ActChunk.insert_many(some).execute()
        return len(some)

    run_in_chunks(database, chunks, keep)


def read_rows(act: int, number: int) -> list[int]:
    """The ids of a chunk of an act, its first being 0."""
    row: Any = ActChunk.get((ActChunk.act == act) & (ActChunk.number == number))
    return [int(id) for id in row.rows.split()]


def forget_plans(database: Database, now: int) -> None:
    """Remove plans that nobody has started in time, and what is left of acts that ended early."""
    old = (Act.state == PLANNED) & (Act.planned_at < now - 2 * LASTS)
    over = Act.select(Act.id).where(old | (Act.state == BoxState.DEAD))

    def forget(is_retry: bool) -> None:
        ids = [row.id for row in over]
        if ids:
            ActChunk.delete().where(ActChunk.act << ids).execute()
            Act.delete().where((Act.id << ids) & old).execute()

    if database.read(over.exists):
        database.transact(forget)
