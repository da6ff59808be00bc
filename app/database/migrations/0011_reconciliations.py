"""What each comparison of a vote site's list with the ledger has found."""

from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    IntegerField,
    Model,
)

from app.database.columns import LongTextField
from app.database.models import bind_models


class Reconciliation(Model):
    id = BigAutoField()
    source = CharField(64)
    slot = BigIntegerField(null=True)
    person = CharField(255)
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    since = BigIntegerField()
    heals = BooleanField()
    listed = IntegerField()
    waiting = IntegerField()
    missing = IntegerField()
    healed = IntegerField()
    differs = IntegerField()
    unknown = IntegerField()
    state = CharField(16)
    reason = CharField(500)
    found = LongTextField()
    holder = CharField(32)
    lease_until = BigIntegerField()

    class Meta:
        table_name = "guerdon_reconciliations"
        indexes = ((("source", "slot"), True), (("source", "id"), False))


def up(migrator: Any, db: Any) -> None:
    bind_models(db, (Reconciliation,))
    Reconciliation._schema.create_table(safe=True)  # type: ignore[attr-defined]
