"""Reports with their sends, and the events that came together."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    IntegerField,
    Model,
)

from app.database.columns import KeyField, LongBlobField, LongTextField
from app.database.models import bind_models


class Part(Model):
    event = BigIntegerField()
    part = BigIntegerField()

    class Meta:
        table_name = "guerdon_parts"
        primary_key = CompositeKey("event", "part")


class Report(Model):
    id = BigAutoField()
    report_key = KeyField(unique=True)
    reporter = CharField(64)
    kind = CharField(64)
    key = CharField(255)
    event = BigIntegerField(index=True)
    body = LongBlobField()
    state = CharField(16)
    due_at = BigIntegerField()
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    sends = IntegerField()
    sends_before = IntegerField()
    response = LongTextField(null=True)
    last_error = CharField(500)
    created_at = BigIntegerField()
    waiting_since = BigIntegerField()
    delivered_at = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_reports"
        indexes = (
            (("state", "reporter", "due_at"), False),
            (("state", "lease_until"), False),
        )


class Send(Model):
    id = BigAutoField()
    report = BigIntegerField()
    number = IntegerField()
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    status = IntegerField(null=True)
    latency = IntegerField(null=True)
    error = CharField(500)
    answer = LongTextField()

    class Meta:
        table_name = "guerdon_sends"
        indexes = ((("report", "number"), True),)


def up(migrator: Any, db: Any) -> None:
    tables: tuple[Any, ...] = (Part, Report, Send)
    bind_models(db, tables)
    for table in tables:
        table._schema.create_table(safe=True)
