"""VIP time: added to what is left of it, or to now."""

from typing import Any

from marshmallow import Schema, fields, validate
from peewee import BigIntegerField, Case, CharField, Model

from app import Player, Reward, format_time, hookimpl

DAY = 86_400_000  # ms


class Vip(Model):
    player_id = CharField(64, primary_key=True)
    until = BigIntegerField()  # ms since the epoch, UTC

    class Meta:
        table_name = "guerdon_vip"


class VipReward(Schema):
    days = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=36_500))


@hookimpl
def plugin_models() -> list[type[Model]]:
    return [Vip]


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"vip": VipReward}


@hookimpl
def grant_reward(reward: Reward, player: Player, now: int) -> dict[str, Any] | None:
    if reward.kind != "vip":
        return None
    length = reward.params["days"] * DAY
    mine = Vip.player_id == str(player.id)
    # The sum is made by the database: two payments at once both count.
    start = Case(None, [(Vip.until > now, Vip.until)], now)
    if not Vip.update(until=start + length).where(mine).execute():
        Vip.insert(player_id=str(player.id), until=now + length).execute()
    return {"vip_until": format_time(Vip.select(Vip.until).where(mine).scalar())}


@hookimpl
def describe_player(player: Player, now: int) -> dict[str, Any]:
    until = Vip.select(Vip.until).where(Vip.player_id == str(player.id)).scalar()
    return {"vip_until": format_time(until) if until and until > now else None}
