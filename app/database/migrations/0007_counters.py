"""What is counted, and what the ledger needs so that it can be counted anew.

The new columns are null for what is there; databases add such columns without rewriting the table.
`guerdon migrate` fills them in, in chunks, once there are rules that count.
"""

import secrets
from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    FixedCharField,
    IntegerField,
    Model,
    TextField,
)

from app.database.models import bind_models

COLUMNS = {
    "guerdon_events": (
        ("player_id", "VARCHAR(255)"),
        ("counted_at", "{long}"),
        ("verdicts", "MEDIUMTEXT"),
    ),
    "guerdon_grants": (("rule_text", "CHAR(16)"),),
    "guerdon_turns": (
        ("counted", "{long} NOT NULL DEFAULT 0"),
        ("counters", "CHAR(16) NOT NULL DEFAULT ''"),
    ),
}


class TallyRow(Model):
    counter = FixedCharField(16)
    period = CharField(16)
    player_id = CharField(255, index=True)
    votes = IntegerField()
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_tallies"
        primary_key = CompositeKey("counter", "period", "player_id")


class SeenRow(Model):
    player_id = CharField(255)
    counter = FixedCharField(16)
    period = CharField(16)
    thing = CharField(255)

    class Meta:
        table_name = "guerdon_seen"
        primary_key = CompositeKey("player_id", "counter", "period", "thing")


class ChainRow(Model):
    player_id = CharField(255)
    counter = FixedCharField(16)
    start = IntegerField()
    last = IntegerField()
    length = IntegerField()
    paid = TextField()

    class Meta:
        table_name = "guerdon_streaks"
        primary_key = CompositeKey("player_id", "counter", "start")


class UseRow(Model):
    player_id = CharField(255)
    owner = FixedCharField(16)
    period = CharField(16)
    used = BigIntegerField()
    event = CharField(330)

    class Meta:
        table_name = "guerdon_limits"
        primary_key = CompositeKey("player_id", "owner", "period")


class MomentRow(Model):
    player_id = CharField(255)
    owner = FixedCharField(16)
    moment = BigIntegerField()
    payments = IntegerField()

    class Meta:
        table_name = "guerdon_limit_moments"
        primary_key = CompositeKey("player_id", "owner", "moment")


class PartyVoteRow(Model):
    id = BigAutoField()
    party = FixedCharField(16)
    event = BigIntegerField()
    period = CharField(16)
    player_id = CharField(255)
    counted_at = BigIntegerField()
    round = IntegerField(null=True)

    class Meta:
        table_name = "guerdon_party_votes"
        indexes = (
            (("party", "event"), True),
            (("party", "period", "round", "id"), False),
            (("party", "round", "period"), False),
        )


class Mark(Model):
    name = CharField(64, primary_key=True)
    value = TextField()

    class Meta:
        table_name = "guerdon_counting"


def up(migrator: Any, db: Any) -> None:
    for table, columns in COLUMNS.items():
        present = {column.name for column in db.get_columns(table)}
        for name, kind in columns:
            if name not in present:
                q, long = db.quote[0], {"sqlite": "INTEGER", "mysql": "BIGINT"}[db.family]
                column = f"{q}{name}{q} {kind.format(long=long)}"
                db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
    models: tuple[Any, ...] = (TallyRow, SeenRow, ChainRow, UseRow, MomentRow, PartyVoteRow, Mark)
    bind_models(db, models)
    for model in models:
        model._schema.create_table(safe=True)
    Mark.insert(name="draw secret", value=secrets.token_hex(32)).on_conflict_ignore().execute()
