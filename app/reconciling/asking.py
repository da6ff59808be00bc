"""A question to the database, asked patiently."""

from collections.abc import Sequence
from typing import Any

from app.database.opening import Database


def ask(database: Database, sql: str, values: Sequence[Any]) -> Sequence[Any]:
    """The rows of a SELECT, outside any transaction."""
    rows: Sequence[Any] = database.read(lambda: database.execute_sql(sql, values).fetchall())
    return rows
