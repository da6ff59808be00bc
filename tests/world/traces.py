"""Where a name is still to be found in a database: each column of each table, in clear, folded, in hex."""

from collections.abc import Iterator
from typing import Any

from app.guerdon import Guerdon


def list_traces(guerdon: Guerdon, name: str, other: str = "") -> list[str]:
    """`table.column: value` for each value that holds the name, not as a part of the `other` one.

    Keys of events are left out: they begin with an id, and docs/privacy.md says so.
    """
    with guerdon.database.connection_context():
        return list(find_traces(guerdon.database, name, spell(other) if other else []))


def spell(name: str) -> list[str]:
    wanted = name.casefold()
    return [wanted, wanted.encode().hex(), name.encode().hex(), ascii(name)[1:-1].casefold()]


def find_traces(database: Any, name: str, others: list[str]) -> Iterator[str]:
    for table in database.get_tables():
        cursor = database.execute_sql(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            for column, value in zip(columns, row, strict=True):
                text = show(value).casefold()
                for one in others:
                    text = text.replace(one, "")
                if column != "ordered_key" and any(one in text for one in spell(name)):
                    yield f"{table}.{column}: {text[:200]}"


def show(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") + " " + value.hex()
    return str(value)
