"""Inserts many rows, or changes those that are there, in one statement: for what is gathered."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from app.database.opening import Database

ROWS_AT_ONCE = 200


def upsert_rows(
    database: Database,
    model: Any,
    key: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    changes: Mapping[str, str],
) -> None:
    """Inside: insert `rows` of `model`; where `key`, which is unique, is there, make `changes`.

    `changes` maps a column to an SQL expression of {old}, the column's value, and {new}, the row's,
    as {"quantity": "{old} + {new}"}: the database computes, so two payments at once both count.
    Give the rows in one order for everybody, so that two batches never wait for each other in a ring.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    names, table = database.names_new_rows, model._meta.table_name
    asked = (database.family, names, table, tuple(key), columns, tuple(changes.items()))
    begin, end = write_upsert(database.quote[0], *asked)
    row_of_marks = f"({', '.join([database.param] * len(columns))})"
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        marks = ", ".join([row_of_marks] * len(some))
        values = [row[column] for row in some for column in columns]
        database.execute_sql(f"{begin} {marks} {end}", values)


@lru_cache(maxsize=256)
def write_upsert(
    quote: str,
    family: str,
    names_new_rows: bool,
    table: str,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    changes: tuple[tuple[str, str], ...],
) -> tuple[str, str]:
    """What stands before the rows, and what after."""

    def name(column: str) -> str:
        return f"{quote}{column}{quote}"

    conflict, brought = choose_words(family, names_new_rows, ", ".join(map(name, key)))
    updates = [
        f"{name(column)} = "
        + expression.format(old=f"{name(table)}.{name(column)}", new=brought.format(name(column)))
        for column, expression in changes
    ]
    begin = f"INSERT INTO {name(table)} ({', '.join(map(name, columns))}) VALUES"
    return begin, f"{conflict} {', '.join(updates)}"


def choose_words(family: str, names_new_rows: bool, key: str) -> tuple[str, str]:
    """What comes before the changes, and what {}, a column of the row that is brought, is called in them."""
    if family == "sqlite":
        return f"ON CONFLICT ({key}) DO UPDATE SET", "excluded.{}"
    if names_new_rows:
        return "AS guerdon_new ON DUPLICATE KEY UPDATE", "guerdon_new.{}"
    return "ON DUPLICATE KEY UPDATE", "VALUES({})"
