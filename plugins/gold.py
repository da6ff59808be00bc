"""Gold: adds a decimal amount to a column of the players' table, exactly."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from peewee import PeeweeException

import app
from app import Player, Reward, Settings, add_to_players, explain_refusal, hookimpl

NAME = "gold"
EXACT_TYPES = ("decimal", "numeric", "tinyint", "smallint", "mediumint", "int", "integer", "bigint")


class Section(Schema):
    column = app.ReferableString(
        load_default="gold",
        validate=validate.Regexp(
            r"^[A-Za-z_][A-Za-z0-9_$]{0,63}\Z", error="must be a plain column name"
        ),
    )


class Amount(fields.Decimal):
    """A string or a whole number: a TOML float has lost its decimals before we see it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError('must be a string, as "100.00"')
        amount = super()._deserialize(value, attr, data, **kwargs)
        exponent = amount.as_tuple().exponent if amount else 0
        if not isinstance(exponent, int) or exponent < -9 or not 0 < amount < 10**15:
            raise ValidationError("must be more than 0 and less than 1000000000000000")
        return amount


class Gold(Schema):
    amount = Amount(required=True)


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {NAME: Gold}


@hookimpl
def check_plugin(db: app.Database, rewards: Sequence[Reward], settings: Settings) -> Iterator[str]:
    """The column must be there, hold numbers exactly, and have room for the amounts' decimals."""
    table, name = settings.players.table, settings[NAME]["column"]
    columns = [column for column in db.get_columns(table) if column.name == name]
    if name in db.list_generated_columns(table):
        yield f"[plugins.gold] column: {table}.{name} is generated: name the column it is made from"
        return
    if not columns:
        yield f"[plugins.gold] column: the table {table} has no column {name}"
        return
    kind, _, rest = (columns[0].full_type or columns[0].data_type).lower().partition("(")
    if kind.split(" ")[0] not in EXACT_TYPES:
        yield f"[plugins.gold] column: {table}.{name} is {kind}, which is not exact: make it DECIMAL"
        return
    scale = rest.partition(")")[0].partition(",")[2].strip()
    places = min(int(scale), 9) if scale.isdigit() else 0  # an amount has nine at most
    for reward in rewards:
        amount = reward.params.get("amount") if reward.kind == NAME else None
        if isinstance(amount, Decimal) and amount != round(amount, places):
            yield f"gold {amount}: {table}.{name} keeps {places} decimals; it would be rounded"
    try:
        with db.atomic():
            db.execute_sql(f"UPDATE `{table}` SET `{name}` = `{name}` WHERE 1 = 0")
    except PeeweeException as error:
        yield f"[plugins.gold] column: {table}.{name} cannot be written: {explain_refusal(error)}"


@hookimpl
def grant_reward(
    reward: Reward, player: Player, settings: Settings, batch: app.Batch
) -> dict[str, Any] | None:
    if reward.kind != NAME:
        return None
    amount = reward.params["amount"]
    batch.gather(add_gold, (player.id, amount))
    return {"added": f"{amount:f}", "column": settings[NAME]["column"]}


def add_gold(rows: list[tuple[Any, Decimal]], db: app.Database, settings: Settings) -> None:
    """All the gold of a batch in one statement."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for player_id, amount in rows:
        sums[player_id] += amount
    add_to_players(db, settings.players, settings[NAME]["column"], sums)


class PlayerGold(Schema):
    gold = fields.String(metadata={"description": "the balance", "example": "100.00"})


@hookimpl
def player_schema() -> type[Schema]:
    return PlayerGold


@hookimpl
def describe_player(player: Player, db: app.Database, settings: Settings) -> dict[str, Any]:
    where = settings.players
    column, table, key = (
        f"`{n}`" for n in (settings[NAME]["column"], where.table, where.id_column)
    )
    sql = f"SELECT {column} FROM {table} WHERE {key} = {db.param}"
    row = db.execute_sql(sql, (player.id,)).fetchone()
    return {"gold": f"{Decimal(str(row[0] or 0)):.2f}" if row else "0.00"}
