"""What has died lately, and whether a source is silent: what the ledger tells, each by an index."""

from collections.abc import Callable
from typing import Any

from app.database.opening import Database
from app.database.states import BoxState
from app.database.windows import find_ends

USUAL_VOTES = 10  # of a source in the same hours a week before: silence is strange then
HOURS = 2 * 3_600_000  # ms
WEEK = 7 * 86_400_000


def ask(database: Database, sql: str, *params: Any) -> list[Any]:
    rows = database.read(lambda: database.execute_sql(sql, params).fetchall())
    return list(rows)


def count_dead_events(database: Database, since: int) -> int:
    """Events that died after this time (ms), and are dead still. They end in a lease of that time."""
    sql = (
        f"SELECT COUNT(*) FROM guerdon_inbox WHERE state = '{BoxState.DEAD}'"
        f" AND lease_until > {database.param}"
    )
    return int(ask(database, sql, since)[0][0])


def count_dead_reports(database: Database, since: int) -> dict[str, int]:
    """Reports that died after this time (ms), and are dead still, by their reporter."""
    sql = (
        f"SELECT reporter, COUNT(*) FROM guerdon_reports WHERE state = '{BoxState.DEAD}'"
        f" AND lease_until > {database.param} GROUP BY reporter"
    )
    return dict(ask(database, sql, since))


def is_silence_strange(database: Database, source: str, now: int) -> bool:
    """Whether a source that was silent for HOURS was busy in the same hours a week before."""
    first, last = (find_first_id(database, time - WEEK) for time in (now - HOURS, now))
    mark = database.param
    sql = (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM guerdon_events WHERE id >= {mark} AND id < {mark}"
        f" AND source = {mark} LIMIT {USUAL_VOTES}) AS few"
    )
    return bool(ask(database, sql, first, last, source)[0][0] >= USUAL_VOTES)


def find_first_id(database: Database, time: int) -> int:
    """The id from which on events were settled at this time (ms) or later, found by halving the ids."""
    lowest, highest = database.read(lambda: find_ends(database, "guerdon_events"))
    low, high = (0, 0) if lowest is None or highest is None else (lowest, highest + 1)
    mark = database.param
    sql = f"SELECT id, settled_at FROM guerdon_events WHERE id >= {mark} ORDER BY id LIMIT 1"
    read: Callable[[int], Any] = lambda id_: ask(database, sql, id_)[0]  # noqa: E731
    while low < high:
        middle = (low + high) // 2
        id_, settled_at = read(middle)
        if settled_at >= time:
            high = middle
        else:
            low = int(id_) + 1
    return low
