"""Room for long player ids and large counts, ids that are never used twice, a table for heartbeats.

guerdon_items and guerdon_roles used up an id of their own with each reward; player and name are their
keys now. Tables that are not there are passed by: whoever brings them makes them as they should be.
"""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    Model,
)

from app.database.columns import LongBlobField
from app.database.models import bind_models

WIDENED = ("guerdon_grants", "guerdon_claims", "guerdon_promo_codes", "guerdon_vip")
COUNTED = {
    "guerdon_items": "quantity",
    "guerdon_roles": "until",
}  # what stands beside player and name
OLD_ID, NEW_ID = (f'"id" INTEGER NOT NULL PRIMARY KEY{more}' for more in ("", " AUTOINCREMENT"))
NUMBERED = {
    "guerdon_claims": "lease_token",
    "players": "folded",
}  # and a column by which they are ours


class Heartbeat(Model):
    id = BigAutoField()
    filling = LongBlobField()

    class Meta:
        table_name = "guerdon_heartbeats"


class Item(Model):
    player_id = CharField(255)
    name = CharField(255)
    quantity = BigIntegerField()

    class Meta:
        table_name = "guerdon_items_new"
        primary_key = CompositeKey("player_id", "name")


class Role(Model):
    player_id = CharField(255)
    name = CharField(255)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_roles_new"
        primary_key = CompositeKey("player_id", "name")


def up(migrator: Any, db: Any) -> None:
    tables: tuple[Any, ...] = (Heartbeat, Item, Role)
    bind_models(db, tables)
    tables[0]._schema.create_table(safe=True)
    present = set(db.get_tables())
    if db.family == "sqlite":
        for model in tables[1:]:
            replace_table(db, model, present)
        for table in present & NUMBERED.keys():
            number_for_ever(db, table)
        return
    for table in WIDENED:
        if table in present:
            db.execute_sql(f"ALTER TABLE {table} MODIFY player_id VARCHAR(255) NOT NULL")
    for table in present & COUNTED.keys():
        change_key(db, table)


def change_key(db: Any, table: str) -> None:
    """One statement, so that whoever pays meanwhile loses nothing; on MySQL and MariaDB."""
    if "id" not in list_columns(db, table):
        return  # an earlier run did this table
    indexes = db.get_indexes(table)
    old = [index.name for index in indexes if tuple(index.columns) == ("player_id", "name")]
    changes = [
        "DROP COLUMN id",
        *(f"DROP INDEX `{name}`" for name in old),
        "MODIFY player_id VARCHAR(255) NOT NULL",
        f"MODIFY `{COUNTED[table]}` BIGINT NOT NULL",
        "ADD PRIMARY KEY (player_id, name)",
    ]
    db.execute_sql(f"ALTER TABLE {table} {', '.join(changes)}")


def replace_table(db: Any, model: Any, present: set[str]) -> None:
    """Copy a table's rows into a new one of this model; in the migration's transaction, on SQLite."""
    new = model._meta.table_name
    table = new.removesuffix("_new")
    if table not in present or "id" not in list_columns(db, table):
        return
    model._schema.create_table(safe=False)
    names = f"player_id, name, {COUNTED[table]}"
    db.execute_sql(f"INSERT INTO {new} ({names}) SELECT {names} FROM {table}")
    swap_tables(db, table, new)


def number_for_ever(db: Any, table: str) -> None:
    """SQLite gives the last row's id again once that row is gone, unless the table is told not to."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    [sql] = db.execute_sql(query, (table,)).fetchone()
    begin = f'CREATE TABLE "{table}" ('
    columns = list_columns(db, table)
    if not sql.startswith(f"{begin}{OLD_ID},") or NUMBERED[table] not in columns:
        return  # somebody else's
    named = sql.replace(OLD_ID, NEW_ID, 1).replace(
        '"player_id" VARCHAR(64)', '"player_id" VARCHAR(255)'
    )
    db.execute_sql(named.replace(begin, f'CREATE TABLE "{table}_new" (', 1))
    names = ", ".join(f'"{name}"' for name in columns)
    db.execute_sql(f'INSERT INTO "{table}_new" ({names}) SELECT {names} FROM "{table}"')
    swap_tables(db, table, f"{table}_new")


def swap_tables(db: Any, table: str, new: str) -> None:
    """Put the new table in the old one's place, with the indexes and triggers that fit it still."""
    query = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger')"
    kept = [sql for (sql,) in db.execute_sql(query, (table,)).fetchall() if sql]
    db.execute_sql("PRAGMA legacy_alter_table = ON")  # views that name the table may stay meanwhile
    db.execute_sql(f'DROP TABLE "{table}"')
    db.execute_sql(f'ALTER TABLE "{new}" RENAME TO "{table}"')
    db.execute_sql("PRAGMA legacy_alter_table = OFF")
    for sql in kept:
        if "_player_id_name" not in sql:  # the new key
            db.execute_sql(sql)


def list_columns(db: Any, table: str) -> list[str]:
    return [column.name for column in db.get_columns(table)]
