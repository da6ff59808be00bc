"""VIP time: added to what is left of it, or to now; up to the end of the year 9999."""

from collections import defaultdict
from typing import Any

from marshmallow import Schema, fields, validate
from peewee import BigIntegerField, CharField, Model

from app import Batch, Database, Player, Reward, Settings, format_time, hookimpl, upsert_rows

DAY = 86_400_000  # ms
LATEST = 253_402_300_799_000  # ms; the last second of the year 9999: no calendar knows a later one


class Vip(Model):
    player_id = CharField(255, primary_key=True)
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
def grant_reward(reward: Reward, player: Player, batch: Batch, now: int) -> dict[str, Any] | None:
    if reward.kind != "vip":
        return None
    receipt = {"days": reward.params["days"]}
    batch.gather(add_time, (player.key, now, receipt))
    return receipt


def add_time(rows: list[tuple[str, int, dict[str, Any]]], db: Database, settings: Settings) -> None:
    """All VIP time of a batch in one statement; each receipt then says until when."""
    lengths: dict[str, int] = defaultdict(int)
    for player_id, _, receipt in rows:
        lengths[player_id] += receipt["days"] * DAY
    now = rows[0][1]
    new = [{"player_id": id_, "until": now + length} for id_, length in sorted(lengths.items())]
    stacked = f"CASE WHEN {{old}} > {now} THEN {{old}} - {now} ELSE 0 END + {{new}}"
    capped = f"CASE WHEN {stacked} > {LATEST} THEN {LATEST} ELSE ({stacked}) END"
    upsert_rows(db, Vip, ("player_id",), new, {"until": capped})
    held = Vip.select().where(Vip.player_id << list(lengths))
    ends = {vip.player_id: format_time(vip.until) for vip in held}
    for player_id, _, receipt in rows:
        receipt["vip_until"] = ends[player_id]


class PlayerVip(Schema):
    vip_until = fields.String(
        allow_none=True, metadata={"description": "ISO 8601, UTC", "format": "date-time"}
    )


@hookimpl
def player_schema() -> type[Schema]:
    return PlayerVip


@hookimpl
def describe_player(player: Player, now: int) -> dict[str, Any]:
    until = Vip.select(Vip.until).where(Vip.player_id == player.key).scalar()
    return {"vip_until": format_time(min(until, LATEST)) if until and until > now else None}


@hookimpl
def export_player(player: Player) -> dict[str, Any]:
    return {
        "vip": [{"until": one.until} for one in Vip.select().where(Vip.player_id == player.key)]
    }


@hookimpl
def erase_player(player: Player, new_key: str) -> int:
    if new_key == player.key:
        return 0
    return int(Vip.update(player_id=new_key).where(Vip.player_id == player.key).execute())
