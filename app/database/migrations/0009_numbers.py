"""Numbers of the ledger by the hour, and leases by a name, as they first were."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    FixedCharField,
    Model,
)

from app.database.columns import KeyField
from app.database.models import bind_models


class SeriesRow(Model):
    id = BigAutoField()
    series_key = KeyField(unique=True)
    what = CharField(16)
    source = CharField(64)
    type = CharField(64)
    server_id = CharField(255)
    rule = CharField(255)
    kind = CharField(64)
    reporter = CharField(64)
    result = CharField(32)

    class Meta:
        table_name = "guerdon_series"


class HourRow(Model):
    what = CharField(16)
    step = BigIntegerField()
    hour = BigIntegerField()
    series = BigIntegerField()
    number = BigIntegerField()
    total = BigIntegerField()
    longest = BigIntegerField()
    amount = CharField(80)
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_hours"
        primary_key = CompositeKey("what", "step", "hour", "series")
        lies_in_key = True


class RecentHourRow(Model):
    what = CharField(16)
    block = BigIntegerField()
    hour = BigIntegerField()
    series = BigIntegerField()
    number = BigIntegerField()
    total = BigIntegerField()
    longest = BigIntegerField()
    amount = CharField(80)
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_recent_hours"
        primary_key = CompositeKey("what", "block", "hour", "series")
        lies_in_key = True


class BlockRow(Model):
    what = CharField(16)
    first = BigIntegerField()
    last = BigIntegerField()
    begun_at = BigIntegerField()
    is_checked = BooleanField()

    class Meta:
        table_name = "guerdon_blocks"
        primary_key = CompositeKey("what", "first")
        lies_in_key = True


class WalkRow(Model):
    what = CharField(16, primary_key=True)
    version = BigIntegerField()
    place = BigIntegerField()

    class Meta:
        table_name = "guerdon_walks"


class LeaseRow(Model):
    name = CharField(64, primary_key=True)
    holder = FixedCharField(32)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_leases"


def up(migrator: Any, db: Any) -> None:
    models: tuple[Any, ...] = (SeriesRow, HourRow, RecentHourRow, BlockRow, WalkRow, LeaseRow)
    bind_models(db, models)
    for model in models:
        model._schema.create_table(safe=True)
