"""Windows of time as windows of ids: rows are near in the order of time, and have no index by it."""

from typing import Any

from app.database.opening import Database

SLACK = 2000  # rows that may be out of order, as from several hosts


def find_first_row(
    database: Database, since: int, table: str = "guerdon_events", time: str = "settled_at"
) -> int:
    """An id before which no row has a `time` of since then (ms); found in some twenty looks at the key."""
    low, high = database.execute_sql(f"SELECT MIN(id), MAX(id) FROM {table}").fetchone()
    if low is None:
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
