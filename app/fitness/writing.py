"""May we write what a payment writes? Each kind of statement, on each table, with no row changed."""

from collections.abc import Iterable, Iterator
from typing import Any

from peewee import PeeweeException

from app.database.complaints import name_reason
from app.database.opening import Database
from app.porch.errors import DatabaseUnavailable

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
    """What kinds of writes are refused, on which tables and why: a sentence for those that go together.

    A SQLite file that somebody holds for long refuses nothing; readiness says that it is held.
    """
    refused: dict[tuple[str, str], list[str]] = {}  # kinds by table and reason
    for kind, table, sql in list_writes(database, models):
        try:
            with database.atomic():
                database.execute_sql(sql)
        except DatabaseUnavailable:
            return
        except PeeweeException as error:
            reason = name_reason(error) or type(error).__name__
            refused.setdefault((table, reason), []).append(kind)
    together: dict[tuple[str, str], list[str]] = {}  # tables by kinds and reason
    for (table, reason), kinds in refused.items():
        together.setdefault((", ".join(kinds), reason), []).append(table)
    for (named, reason), tables in together.items():
        yield (
            f"no {named} on {', '.join(tables)}: {reason}. Our database user needs SELECT, INSERT, "
            "UPDATE and DELETE there, on a server that takes writes"
        )
