"""Items: a player's count of each, in a table of our own."""

from collections import defaultdict
from typing import Any

from marshmallow import Schema, fields, validate
from peewee import BigIntegerField, CharField, CompositeKey, Model

from app import Batch, Database, Player, Reward, RewardName, Settings, hookimpl, upsert_rows


class Item(Model):
    player_id = CharField(255)
    name = CharField(255)
    quantity = BigIntegerField()

    class Meta:
        table_name = "guerdon_items"
        primary_key = CompositeKey("player_id", "name")  # an id would be used up by each upsert


class ItemReward(Schema):
    item = RewardName(required=True)
    quantity = fields.Integer(
        strict=True, load_default=1, validate=validate.Range(min=1, max=1_000_000)
    )


@hookimpl
def plugin_models() -> list[type[Model]]:
    return [Item]


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"item": ItemReward}


@hookimpl
def grant_reward(reward: Reward, player: Player, batch: Batch) -> dict[str, Any] | None:
    if reward.kind != "item":
        return None
    name, quantity = reward.params["item"], reward.params["quantity"]
    batch.gather(add_items, (player.key, name, quantity))
    return {"item": name, "quantity": quantity}


def add_items(rows: list[tuple[str, str, int]], db: Database, settings: Settings) -> None:
    """All items of a batch in one statement."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for player_id, name, quantity in rows:
        sums[player_id, name] += quantity
    new = [
        {"player_id": player_id, "name": name, "quantity": quantity}
        for (player_id, name), quantity in sorted(sums.items())
    ]
    upsert_rows(db, Item, ("player_id", "name"), new, {"quantity": "{old} + {new}"})


class PlayerItems(Schema):
    items = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "how many of each"}
    )


@hookimpl
def player_schema() -> type[Schema]:
    return PlayerItems


@hookimpl
def describe_player(player: Player) -> dict[str, Any]:
    mine = Item.select().where(Item.player_id == player.key).order_by(Item.name)
    return {"items": {item.name: item.quantity for item in mine}}


@hookimpl
def export_player(player: Player) -> dict[str, Any]:
    mine = Item.select().where(Item.player_id == player.key)
    return {"items": ({"name": one.name, "quantity": one.quantity} for one in mine)}


@hookimpl
def erase_player(player: Player, new_key: str) -> int:
    if new_key == player.key:
        return 0
    return int(Item.update(player_id=new_key).where(Item.player_id == player.key).execute())
