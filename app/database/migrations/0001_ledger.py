"""The ledger, the inbox with its attempts, and the claim queue, as they first were."""

from typing import Any

from peewee import BigAutoField, BigIntegerField, CharField, IntegerField, Model, TextField

from app.database.columns import KeyField, LongTextField
from app.database.models import bind_models


class Event(Model):
    id = BigAutoField()
    event_key = KeyField(unique=True)
    source = CharField(64)
    type = CharField(64)
    event_id = CharField(255)
    server_id = CharField(255)
    nickname = CharField(255)
    user_id = CharField(255)
    occurred_at = BigIntegerField(null=True)
    token = CharField(255)
    settled_at = BigIntegerField()
    data = LongTextField()

    class Meta:
        table_name = "guerdon_events"


class Grant(Model):
    id = BigAutoField()
    event = BigIntegerField(index=True)
    rule = CharField(255)
    plugin = CharField(64)
    kind = CharField(64)
    params = TextField()
    player_id = CharField(64)
    nickname = CharField(255)
    server_id = CharField(255)
    user_id = CharField(255)
    receipt = TextField()
    granted_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_grants"
        indexes = ((("player_id", "id"), False),)


class Waiting(Model):
    id = BigAutoField()
    event_key = KeyField(unique=True)
    source = CharField(64)
    type = CharField(64)
    event_id = CharField(255)
    token = CharField(255)
    data = LongTextField()
    state = CharField(16)
    due_at = BigIntegerField()
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    attempts = IntegerField()
    retries = IntegerField()
    last_error = CharField(500)
    received_at = BigIntegerField()
    waiting_since = BigIntegerField()

    class Meta:
        table_name = "guerdon_inbox"
        indexes = ((("state", "due_at"), False), (("state", "lease_until"), False))


class Attempt(Model):
    id = BigAutoField()
    event_key = KeyField(index=True)
    at = BigIntegerField()
    what = CharField(32)
    detail = CharField(500)

    class Meta:
        table_name = "guerdon_attempts"


class Claim(Model):
    id = BigAutoField()
    server_id = CharField(255)
    player_id = CharField(64)
    nickname = CharField(255)
    event_type = CharField(64)
    event_id = CharField(255)
    payload = TextField()
    state = CharField(16)
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    created_at = BigIntegerField()
    done_at = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_claims"
        indexes = (
            (("server_id", "state", "id"), False),
            (("player_id", "id"), False),
            (("state", "lease_until"), False),
        )


def up(migrator: Any, db: Any) -> None:
    tables: tuple[Any, ...] = (Event, Grant, Waiting, Attempt, Claim)
    bind_models(db, tables)
    # Where DDL commits by itself, a killed run may have made some already: `safe` goes on, and
    # `guerdon migrate` adds whatever index is missing after the last migration.
    for table in tables:
        table._schema.create_table(safe=True)
