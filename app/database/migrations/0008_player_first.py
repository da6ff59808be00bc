"""A player's counters lie together: one place is read and written for all that one vote moves.

No row is lost on the way: who pays meanwhile meets each limit and each budget as far as it is used.
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
    if db.family == "mysql":
        reorder_tallies(db)
    else:
        for model in models:
            move_rows(db, model)
    if NEEDLESS in {index.name for index in db.get_indexes("guerdon_party_votes")}:
        of_table = " ON guerdon_party_votes" if db.family == "mysql" else ""
        db.execute_sql(f"DROP INDEX {NEEDLESS}{of_table}")


def reorder_tallies(db: Any) -> None:
    """In one statement, so that nobody meets the table without its rows; the others begin so already."""
    sql = (
        "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = DATABASE()"
        " AND table_name = 'guerdon_tallies' AND constraint_name = 'PRIMARY' ORDER BY ordinal_position"
    )
    if db.execute_sql(sql).fetchone()[0] != "player_id":
        db.execute_sql(
            "ALTER TABLE guerdon_tallies MODIFY player_id VARCHAR(255) NOT NULL FIRST, DROP PRIMARY KEY,"
            " ADD PRIMARY KEY (player_id, counter, period)"
            + "".join(f", DROP INDEX {index.name}" for index in db.get_indexes("guerdon_tallies")
                      if index.columns == ["player_id"])
        )  # fmt: skip


def move_rows(db: Any, model: Any) -> None:
    """SQLite: into a table that lies in its key; all of a migration is one transaction there."""
    table = model._meta.table_name
    columns = ", ".join(field.column_name for field in model._meta.sorted_fields)
    db.execute_sql(f"ALTER TABLE {table} RENAME TO {table}_before")
    for index in db.get_indexes(f"{table}_before"):
        if not index.name.startswith("sqlite_autoindex"):
            db.execute_sql(f"DROP INDEX {index.name}")
    model._schema.create_all(safe=False)
    db.execute_sql(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}_before")
    db.execute_sql(f"DROP TABLE {table}_before")
