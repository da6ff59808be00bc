"""Rows in few statements: as many at once as a database takes."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from app.database.opening import BYTES_AT_ONCE

ROWS_AT_ONCE = 200
TEXTS = (str, bytes)


@lru_cache(maxsize=512)
def insert_sql(table: str, columns: tuple[str, ...], rows: int, mark: str) -> str:
    row = f"({', '.join([mark] * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"


def cut_rows(
    rows: Sequence[tuple[Any, ...]], most: int = BYTES_AT_ONCE
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in statements of at most 200, and of no more bytes than the database takes at once."""
    some: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        length = sum([len(value) for value in row if isinstance(value, TEXTS)])
        if some and (len(some) == ROWS_AT_ONCE or size + length > most):
            yield some
            some, size = [], 0
        some.append(row)
        size += length
    if some:
        yield some
