"""Players are erased, and old rows lose what is not needed for ever; each such row says since when.

The new columns are null for what is there; databases add such columns without rewriting the table. The
key that names of erased players are hashed with is made here, once.
"""

import secrets
from typing import Any

from peewee import BigAutoField, BigIntegerField, CharField, Model, TextField

from app.database.models import bind_models

STRIPPED = ("guerdon_events", "guerdon_reports")


class Erasure(Model):
    id = BigAutoField()
    pseudonym = CharField(64, unique=True)
    names = TextField()
    player = CharField(255)
    person = CharField(255)
    counts = TextField()
    holder = CharField(32)
    running = CharField(64, null=True, unique=True)
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_erasures"


class Mark(Model):
    name = CharField(64, primary_key=True)
    value = TextField()

    class Meta:
        table_name = "guerdon_counting"


def up(migrator: Any, db: Any) -> None:
    bind_models(db, (Erasure, Mark))
    Erasure._schema.create_table(safe=True)  # type: ignore[attr-defined]
    for table in STRIPPED:
        if "stripped_at" not in {column.name for column in db.get_columns(table)}:
            q, long = db.quote[0], {"sqlite": "INTEGER", "mysql": "BIGINT"}[db.family]
            db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {q}stripped_at{q} {long}")
    Mark.insert(name="erasure key", value=secrets.token_hex(32)).on_conflict_ignore().execute()
