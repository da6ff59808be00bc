"""The turns: a row for each player who was ever paid, changed by each transaction that pays him."""

from typing import Any

from peewee import BigIntegerField, Model

from app.database.models import bind_models


class Turn(Model):
    id = BigIntegerField(primary_key=True)
    version = BigIntegerField()

    class Meta:
        table_name = "guerdon_turns"


def up(migrator: Any, db: Any) -> None:
    tables: tuple[Any, ...] = (Turn,)
    bind_models(db, tables)
    for table in tables:
        table._schema.create_table(safe=True)
