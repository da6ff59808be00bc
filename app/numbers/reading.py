"""Reads what is counted: what is kept for ever, recent blocks, and the rows that nobody has counted yet."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from app.database.opening import Database
from app.database.windows import find_first_row
from app.numbers.books import EVER, WalkState, read_state
from app.numbers.catalogue import read_series_names
from app.numbers.tallies import DAY, HOUR, TALLY_COLUMNS, Hours, Series, Tally, What, read_tally
from app.numbers.walks import WALK_OF, count_rows

Result = TypeVar("Result")
LOOKS = 20  # at a walk that goes on meanwhile
PAUSE = 0.01  # seconds between them
FAR_BEHIND = 20_000  # ids: not counted yet, as of an old ledger in its first minutes
# What is counted in a span of time, by its beginning (ms).
Spans = dict[int, dict[Series, Tally]]
Names = dict[int, Series]  # of series, by their ids


def read_whole(database: Database, what: What, read: Callable[[WalkState], Result]) -> Result:
    """What `read` returns, of one state of a walk: it is asked again where the walk went on meanwhile."""
    state = read_state(database, what)
    for _ in range(LOOKS):
        result = read(state)
        after = read_state(database, what)
        if after.version == state.version:
            return result
        state = after
        time.sleep(PAUSE)
    return result


def read_spans(database: Database, what: What, since: int, until: int, step: int) -> Spans:
    """What was counted from `since` until before `until`, in spans of `step`; all in ms.

    `step` is of whole hours. `since` is taken back to the beginning of its hour, or of its day of UTC
    where the step is of whole days, and `until` to the end of its hour. The spans begin there, and those
    without a row are left out. Exact also while it is counted.
    """
    begin = find_begin(since, step)

    def read(state: WalkState) -> Spans:
        spans: Spans = defaultdict(dict)
        names = read_series_names(database, what)
        kept = list_kept_steps(begin, until, step)
        rows = [row for one in kept for row in read_hours(database, what, names, *one)]
        rows += read_uncounted(database, what, state, names, begin)
        for hour, name, tally in rows:
            if begin <= hour < until:
                add_to_span(spans, begin + (hour - begin) // step * step, name, tally)
        return dict(spans)

    return read_whole(database, what, read)


def find_begin(since: int, step: int) -> int:
    """When the first span begins; ValueError for a step that is not of whole hours."""
    if step < HOUR or step % HOUR:
        raise ValueError("step must be whole hours, in ms")
    return since - since % (HOUR if step % DAY else DAY)


def list_kept_steps(begin: int, until: int, step: int) -> Iterable[tuple[int, int, int]]:
    """Of which steps what is kept is read, from when until when: whole days where there are any."""
    if step % DAY == 0:
        yield DAY, begin, until - until % DAY
        begin = max(begin, until - until % DAY)
    yield HOUR, begin, until


def read_ever(database: Database, what: What) -> dict[Series, Tally]:
    """What was counted in all."""

    def read(state: WalkState) -> dict[Series, Tally]:
        spans: Spans = defaultdict(dict)
        names = read_series_names(database, what)
        for _, name, tally in read_hours(database, what, names, EVER, 0, 1):
            add_to_span(spans, 0, name, tally)
        for _, name, tally in read_uncounted(database, what, state, names, 0):
            add_to_span(spans, 0, name, tally)
        return spans[0]

    return read_whole(database, what, read)


def add_to_span(spans: Spans, begin: int, series: Series, tally: Tally) -> None:
    spans[begin].setdefault(series, Tally()).add(tally)


def read_hours(
    database: Database, what: What, names: Names, step: int, begin: int, until: int
) -> Iterable[tuple[int, Series, Tally]]:
    """What is kept for ever. A series without a name is younger than these: whoever reads looks again."""
    mark = database.param
    sql = (
        f"SELECT hour, series, {TALLY_COLUMNS} FROM guerdon_hours WHERE what = {mark} AND step = {mark}"
        f" AND hour >= {mark} AND hour < {mark}"
    )
    rows: Any = database.execute_sql(sql, (what, step, begin, until)).fetchall()
    for hour, series, *values in rows:
        if name := names.get(int(series)):
            yield int(hour), name, read_tally(*values)


def read_uncounted(
    database: Database, what: What, state: WalkState, names: Names, begin: int
) -> Iterable[tuple[int, Series, Tally]]:
    """What is not kept for ever: of recent blocks, and of rows after them, by the hour (ms)."""
    if what not in WALK_OF:
        return  # samples are kept at once
    sql = (
        f"SELECT hour, series, {TALLY_COLUMNS} FROM guerdon_recent_hours"
        f" WHERE what = {database.param}"
    )
    rows: Any = database.execute_sql(sql, (what,)).fetchall() if state.blocks else ()
    for hour, series, *values in rows:
        if series_name := names.get(int(series)):
            yield int(hour), series_name, read_tally(*values)
    for (name, hour), tally in count_head(database, what, state, begin).items():
        yield hour, name, tally


def count_head(database: Database, what: What, state: WalkState, begin: int) -> Hours:
    """What the rows come to that nobody has counted yet.

    Where these are very many, as in the first minutes of an old ledger, those before `begin` (ms) are
    passed over by their ids.
    """
    walk, first = WALK_OF[what], state.end + 1
    [newest] = database.execute_sql(f"SELECT MAX(id) FROM {walk.table}").fetchone()
    if newest is None or newest < first:
        return {}
    if begin and newest - first > FAR_BEHIND:
        first = max(first, find_first_row(database, begin, walk.table, walk.time))
    return count_rows(database, walk, first, None)
