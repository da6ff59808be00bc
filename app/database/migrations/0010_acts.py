"""What people do is kept: who did what, to how many."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    IntegerField,
    Model,
    TextField,
)

from app.database.models import bind_models


class Act(Model):
    id = BigAutoField()
    what = CharField(32)
    person = CharField(255)
    about = TextField()
    reason = CharField(500)
    state = CharField(16)
    number = IntegerField()
    place = IntegerField()
    done = IntegerField()
    oldest = BigIntegerField(null=True)
    ceiling = BigIntegerField(null=True)
    planned_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    error = CharField(500)
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()

    class Meta:
        table_name = "guerdon_acts"
        indexes = ((("state", "lease_until"), False),)


class ActChunk(Model):
    act = BigIntegerField()
    number = IntegerField()
    rows = TextField(column_name="row_ids")

    class Meta:
        table_name = "guerdon_act_chunks"
        primary_key = CompositeKey("act", "number")
        lies_in_key = True


def up(migrator: Any, db: Any) -> None:
    models: tuple[Any, ...] = (Act, ActChunk)
    bind_models(db, models)
    for model in models:
        model._schema.create_table(safe=True)
