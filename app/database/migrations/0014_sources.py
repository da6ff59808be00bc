"""Sources are polled, and some of their events come too soon after another of the same player."""

from typing import Any

from peewee import BigIntegerField, CharField, CompositeKey, Model

from app.database.columns import KeyField, LongTextField
from app.database.models import bind_models


class Poll(Model):
    source = CharField(64, primary_key=True)
    version = BigIntegerField()
    place = LongTextField()
    due_at = BigIntegerField()
    polled_at = BigIntegerField()
    reason = CharField(500)

    class Meta:
        table_name = "guerdon_polls"


class Recent(Model):
    recent_key = KeyField()
    at = BigIntegerField()

    class Meta:
        table_name = "guerdon_recent"
        primary_key = CompositeKey("recent_key", "at")
        lies_in_key = True


class Repeat(Model):
    event = BigIntegerField(primary_key=True)
    first_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_repeats"


def up(migrator: Any, db: Any) -> None:
    models: tuple[Any, ...] = (Poll, Recent, Repeat)
    bind_models(db, models)
    for model in models:
        model._schema.create_table(safe=True)
