"""May we write what a payment writes? Each kind of statement, on each table, with no row changed."""

from collections.abc import Iterable, Iterator
from typing import Any

from peewee import PeeweeException

from app.complaints import name_reason
from app.database import Database

WRITES = {
    "INSERT": "INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0",
    "UPDATE": "UPDATE {table} SET {column} = {column} WHERE 1 = 0",
    "DELETE": "DELETE FROM {table} WHERE 1 = 0",
}


def list_writes(database: Database, models: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    """(kind, table, SQL) of statements that change nothing, but need the right to do so."""
    quote = database.quote[0]
    for model in models:
        table, column = model._meta.table_name, model._meta.sorted_fields[-1].column_name
        names = {"table": f"{quote}{table}{quote}", "column": f"{quote}{column}{quote}"}
        for kind, sql in WRITES.items():
            yield kind, table, sql.format(**names)


def inspect_writes(database: Database, models: Iterable[Any]) -> Iterator[str]:
    """A sentence for each kind of write that is refused, with the tables it concerns."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind, table, sql in list_writes(database, models):
        try:
            with database.atomic():
                database.execute_sql(sql)
        except PeeweeException as error:
            reason = name_reason(error) or type(error).__name__
            found.setdefault((kind, reason), []).append(table)
    for (kind, reason), tables in found.items():
        yield (
            f"no {kind} into {', '.join(tables)}: {reason}; our database user needs SELECT, INSERT, "
            "UPDATE and DELETE there, on a server that takes writes"
        )
