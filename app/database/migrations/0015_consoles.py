"""Claims are delivered to consoles too: when each is tried again, how often it left, what was answered.

The new columns have defaults for what is there; databases add such columns without rewriting the table.
"""

from typing import Any

TABLE = "guerdon_claims"
COLUMNS = (
    ("retry_at", "{long} NOT NULL DEFAULT 0"),
    ("sends", "INTEGER NOT NULL DEFAULT 0"),
    ("sent_at", "{long}"),
    ("console", "VARCHAR(128) NOT NULL DEFAULT ''"),
    ("last_error", "VARCHAR(500) NOT NULL DEFAULT ''"),
    ("answer", "TEXT"),
)


def up(migrator: Any, db: Any) -> None:
    present = {column.name for column in db.get_columns(TABLE)}
    q, long = db.quote[0], {"sqlite": "INTEGER", "mysql": "BIGINT"}[db.family]
    for name, kind in COLUMNS:
        if name not in present:
            column = f"{q}{name}{q} {kind.format(long=long)}"
            db.execute_sql(f"ALTER TABLE {TABLE} ADD COLUMN {column}")
