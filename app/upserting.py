"""Inserts many rows, or changes those that are there, in one statement: for what is gathered."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.database import Database

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
    is_mysql = database.family == "mysql"
    quote, mark = database.quote[0], database.param
    table = f"{quote}{model._meta.table_name}{quote}"
    updates = []
    for column, expression in changes.items():
        name = f"{quote}{column}{quote}"
        new = f"VALUES({name})" if is_mysql else f"excluded.{name}"
        updates.append(f"{name} = {expression.format(old=f'{table}.{name}', new=new)}")
    target = ", ".join(f"{quote}{column}{quote}" for column in key)
    conflict = "ON DUPLICATE KEY UPDATE" if is_mysql else f"ON CONFLICT ({target}) DO UPDATE SET"
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        columns = list(some[0])
        names = ", ".join(f"{quote}{column}{quote}" for column in columns)
        marks = ", ".join([f"({', '.join([mark] * len(columns))})"] * len(some))
        database.execute_sql(
            f"INSERT INTO {table} ({names}) VALUES {marks} {conflict} {', '.join(updates)}",
            [row[column] for row in some for column in columns],
        )
