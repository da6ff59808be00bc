"""Inserts many rows, or changes those that are there, in one statement: for what is gathered."""

from collections.abc import Mapping, Sequence
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
    quote, mark = database.quote[0], database.param
    table = f"{quote}{model._meta.table_name}{quote}"
    conflict, brought = choose_words(database, key)
    updates = []
    for column, expression in changes.items():
        name = f"{quote}{column}{quote}"
        old, new = f"{table}.{name}", brought.format(name)
        updates.append(f"{name} = {expression.format(old=old, new=new)}")
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        columns = list(some[0])
        names = ", ".join(f"{quote}{column}{quote}" for column in columns)
        marks = ", ".join([f"({', '.join([mark] * len(columns))})"] * len(some))
        database.execute_sql(
            f"INSERT INTO {table} ({names}) VALUES {marks} {conflict} {', '.join(updates)}",
            [row[column] for row in some for column in columns],
        )


def choose_words(database: Database, key: Sequence[str]) -> tuple[str, str]:
    """What comes before the changes, and what {}, a column of the row that is brought, is called in them."""
    if database.family == "sqlite":
        target = ", ".join(f"{database.quote[0]}{column}{database.quote[0]}" for column in key)
        return f"ON CONFLICT ({target}) DO UPDATE SET", "excluded.{}"
    if database.names_new_rows:
        return "AS guerdon_new ON DUPLICATE KEY UPDATE", "guerdon_new.{}"
    return "ON DUPLICATE KEY UPDATE", "VALUES({})"
