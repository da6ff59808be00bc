"""One question of many to the database, asked patiently: others of this process go on in between."""

import time
from collections.abc import Sequence
from typing import Any

from app.database.opening import Database

BREATH = 0.002  # seconds


def ask(database: Database, sql: str, values: Sequence[Any]) -> Sequence[Any]:
    """The rows of a SELECT, outside any transaction."""
    time.sleep(BREATH)
    rows: Sequence[Any] = database.read(lambda: database.execute_sql(sql, values).fetchall())
    return rows
