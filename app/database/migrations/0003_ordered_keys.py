"""An event's key begins like its id: `event_key` becomes `ordered_key`.

The new name stops workers of the version before: they look for old keys, would not find what is paid,
and pay it again. Each statement commits by itself; a killed run is finished by the next.
"""

from typing import Any

LEADING = 12  # bytes of the id; the old key's first 20 follow
ROWS_AT_ONCE = 10_000
INDEXES = {  # of each table: its old index, the kind and the name of its new one
    # First, because its rows find their ids by the inbox's old keys.
    "guerdon_attempts": ("attempt_event_key", "INDEX", "attempt_ordered_key"),
    "guerdon_inbox": ("waiting_event_key", "UNIQUE INDEX", "waiting_ordered_key"),
    "guerdon_events": ("event_event_key", "UNIQUE INDEX", "event_ordered_key"),
}
# The new key, from an id and a key that is old or new already.
BEGINS = f"RPAD(LEFT(CAST({{id}} AS BINARY), {LEADING}), {LEADING}, X'00')"
NEW_KEY = {
    "sqlite": "order_key({id}, {key})",
    "mysql": f"IF(LEFT({{key}}, {LEADING}) = {BEGINS}, {{key}},"
    f" CONCAT({BEGINS}, LEFT({{key}}, {32 - LEADING})))",
}
atomic = False


def up(migrator: Any, db: Any) -> None:
    if db.family == "sqlite":
        db.register_function(order_key, "order_key", 2)
    for table in INDEXES:
        rename_column(db, table)
    for table, (old, kind, new) in INDEXES.items():
        if new in list_indexes(db, table):
            continue  # an earlier run did this table
        drop_index(db, table, old)  # made anew in one go, which is sooner than row by row
        change_keys(db, table, choose_new_key(db, table))
        q = db.quote[0]
        db.execute_sql(f"CREATE {kind} {q}{new}{q} ON {q}{table}{q} ({q}ordered_key{q})")


def order_key(id: str, key: bytes) -> bytes:
    """SQLite's: the new key, from an id and a key that is old or new already."""
    begins = id.encode()[:LEADING].ljust(LEADING, b"\0")
    return key if key.startswith(begins) else begins + key[: 32 - LEADING]


def choose_new_key(db: Any, table: str) -> str:
    """SQL of a row's new key; an attempt's is that of the event in the inbox."""
    write = NEW_KEY[db.family].format
    if table != "guerdon_attempts":
        return write(id="event_id", key="ordered_key")
    of_inbox = write(id="guerdon_inbox.event_id", key="guerdon_inbox.ordered_key")
    same = "guerdon_inbox.ordered_key = guerdon_attempts.ordered_key"
    return f"COALESCE((SELECT {of_inbox} FROM guerdon_inbox WHERE {same}), ordered_key)"


def rename_column(db: Any, table: str) -> None:
    if "event_key" in {column.name for column in db.get_columns(table)}:
        change = {
            "sqlite": "RENAME COLUMN event_key TO ordered_key",
            "mysql": "CHANGE COLUMN event_key ordered_key BINARY(32) NOT NULL",
        }
        db.execute_sql(f"ALTER TABLE {table} {change[db.family]}")


def drop_index(db: Any, table: str, name: str) -> None:
    if name in list_indexes(db, table):
        db.execute_sql(f"DROP INDEX {name}" + (f" ON {table}" if db.family == "mysql" else ""))


def list_indexes(db: Any, table: str) -> set[str]:
    return {index.name for index in db.get_indexes(table)}


def change_keys(db: Any, table: str, new_key: str) -> None:
    (last,) = db.execute_sql(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()
    for first in range(0, last, ROWS_AT_ONCE):
        db.execute_sql(
            f"UPDATE {table} SET ordered_key = {new_key}"
            f" WHERE id > {first} AND id <= {first + ROWS_AT_ONCE}"
        )
