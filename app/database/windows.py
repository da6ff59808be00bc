"""Windows of time as windows of ids: rows are near in the order of time, and have no index by it."""

from typing import Any

from app.database.opening import Database

SLACK = 2000  # rows that may be out of order, as from several hosts


def find_first_row(
    database: Database, since: int, table: str = "guerdon_events", time: str = "settled_at"
) -> int:
    """An id before which no row has a `time` of since then (ms); found in some twenty looks at the key."""
    low, high = find_ends(database, table)
    if low is None or high is None:
        return 0
    sql = f"SELECT {time} FROM {table} WHERE id >= {database.param} ORDER BY id LIMIT 1"
    while low < high:
        middle = (low + high) // 2
        row: Any = database.execute_sql(sql, (middle,)).fetchone()
        if row is not None and row[0] < since:
            low = middle + 1
        else:
            high = middle
    return max(1, int(low) - SLACK)


def list_windows(database: Database, table: str, rows: int) -> range:
    """Where windows of so many ids begin, from a table's first row to its last."""
    low, high = find_ends(database, table)
    return range(0) if low is None or high is None else range(low, high + 1, rows)


def find_ends(database: Database, table: str) -> tuple[int | None, int | None]:
    """The lowest and the highest id of a table; None where it is empty.

    Asked for both in one go, SQLite would read a whole index.
    """
    sql = f"SELECT (SELECT MIN(id) FROM {table}), (SELECT MAX(id) FROM {table})"
    low, high = database.execute_sql(sql).fetchone()
    return low, high
