"""What is wrong, so that a restart forgets none of it; and who looks."""

from typing import Any

from peewee import BigIntegerField, CharField, CompositeKey, Model

from app.database.models import bind_models


class AlarmRow(Model):
    name = CharField(64)
    about = CharField(255)
    summary = CharField(500)
    since = BigIntegerField()
    fired_at = BigIntegerField(null=True)
    told_by = CharField(64)
    told_until = BigIntegerField(null=True)
    over_since = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_alarms"
        primary_key = CompositeKey("name", "about")


class DutyRow(Model):
    name = CharField(64, primary_key=True)
    holder = CharField(32)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_duties"


def up(migrator: Any, db: Any) -> None:
    models: tuple[Any, ...] = (AlarmRow, DutyRow)
    bind_models(db, models)
    for model in models:
        model._schema.create_table(safe=True)
