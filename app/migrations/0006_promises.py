"""The table that heartbeats are written to."""

from typing import Any

from peewee import BigAutoField, Model

from app.models import LongBlobField, bind_models


class Heartbeat(Model):
    id = BigAutoField()
    filling = LongBlobField()

    class Meta:
        table_name = "guerdon_heartbeats"


def up(migrator: Any, db: Any) -> None:
    tables: tuple[Any, ...] = (Heartbeat,)
    bind_models(db, tables)
    for table in tables:
        table._schema.create_table(safe=True)
