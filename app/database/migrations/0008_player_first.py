"""A player's counters lie together: one place is read and written for all that one vote moves.

What is counted follows from the ledger, so the tables are made anew, and everybody's counters are left to
be counted again; `guerdon migrate` does so right after.
"""

from typing import Any

from peewee import (
    BigIntegerField,
    CharField,
    CompositeKey,
    FixedCharField,
    IntegerField,
    Model,
    TextField,
)

from app.database.models import bind_models

NEEDLESS = "partyvoterow_party_period_round_id"  # the index by round does for both


class TallyRow(Model):
    player_id = CharField(255)
    counter = FixedCharField(16)
    period = CharField(16)
    votes = IntegerField()
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_tallies"
        primary_key = CompositeKey("player_id", "counter", "period")
        indexes = ((("counter", "period"), False),)
        lies_in_key = True


class SeenRow(Model):
    player_id = CharField(255)
    counter = FixedCharField(16)
    period = CharField(16)
    thing = CharField(255)

    class Meta:
        table_name = "guerdon_seen"
        primary_key = CompositeKey("player_id", "counter", "period", "thing")
        lies_in_key = True


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
        lies_in_key = True


class UseRow(Model):
    player_id = CharField(255)
    owner = FixedCharField(16)
    period = CharField(16)
    used = BigIntegerField()
    event = CharField(330)

    class Meta:
        table_name = "guerdon_limits"
        primary_key = CompositeKey("player_id", "owner", "period")
        lies_in_key = True


class MomentRow(Model):
    player_id = CharField(255)
    owner = FixedCharField(16)
    moment = BigIntegerField()
    payments = IntegerField()

    class Meta:
        table_name = "guerdon_limit_moments"
        primary_key = CompositeKey("player_id", "owner", "moment")
        lies_in_key = True


def up(migrator: Any, db: Any) -> None:
    models: tuple[Any, ...] = (TallyRow, SeenRow, ChainRow, UseRow, MomentRow)
    bind_models(db, models)
    for model in models:
        model._schema.drop_all(safe=True)
        model._schema.create_all(safe=True)
    db.execute_sql("UPDATE guerdon_turns SET counted = 0 WHERE counted <> 0")
    db.execute_sql("DELETE FROM guerdon_counting WHERE name = 'limits for all and budgets'")
    if NEEDLESS in {index.name for index in db.get_indexes("guerdon_party_votes")}:
        of_table = " ON guerdon_party_votes" if db.family == "mysql" else ""
        db.execute_sql(f"DROP INDEX {NEEDLESS}{of_table}")
