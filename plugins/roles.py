"""Roles: held for some days, or without an end. A later end replaces an earlier one."""

from typing import Any

from marshmallow import Schema, fields, validate
from peewee import BigIntegerField, CharField, CompositeKey, Model

from app import (
    Batch,
    Database,
    Player,
    Reward,
    RewardName,
    Settings,
    format_time,
    hookimpl,
    upsert_rows,
)

DAY = 86_400_000  # ms
WITHOUT_END = 2**62  # ms; later than any date


class Role(Model):
    player_id = CharField(255)
    name = CharField(255)
    until = BigIntegerField()  # ms since the epoch, UTC

    class Meta:
        table_name = "guerdon_roles"
        primary_key = CompositeKey("player_id", "name")  # an id would be used up by each upsert


class RoleReward(Schema):
    role = RewardName(required=True)
    days = fields.Integer(
        strict=True, load_default=None, validate=validate.Range(min=1, max=36_500)
    )  # absent: for ever


@hookimpl
def plugin_models() -> list[type[Model]]:
    return [Role]


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"role": RoleReward}


@hookimpl
def grant_reward(reward: Reward, player: Player, batch: Batch, now: int) -> dict[str, Any] | None:
    if reward.kind != "role":
        return None
    name, days = reward.params["role"], reward.params["days"]
    until = now + days * DAY if days else WITHOUT_END
    batch.gather(give_roles, (player.key, name, until))
    return {"role": name, "until": format_time(until) if days else None}


def give_roles(rows: list[tuple[str, str, int]], db: Database, settings: Settings) -> None:
    """All roles of a batch in one statement; whichever end is later stays."""
    new = [{"player_id": id_, "name": name, "until": until} for id_, name, until in sorted(rows)]
    later = "CASE WHEN {old} > {new} THEN {old} ELSE {new} END"
    upsert_rows(db, Role, ("player_id", "name"), new, {"until": later})


@hookimpl
def player_fact_names() -> list[str]:
    return ["role"]


@hookimpl
def player_facts(players: list[Player], now: int) -> dict[str, dict[str, list[str]]]:
    """The roles that they hold, for rules with `where = { "player.role" = "member" }`."""
    held: dict[str, list[str]] = {player.key: [] for player in players}
    theirs = (Role.player_id << list(held)) & (Role.until > now)
    for role in Role.select().where(theirs).order_by(Role.name):
        held[role.player_id].append(role.name)
    return {key: {"role": names} for key, names in held.items()}


class PlayerRoles(Schema):
    roles = fields.Dict(
        keys=fields.String(),
        values=fields.String(allow_none=True),
        metadata={"description": "until when; null for ever"},
    )


@hookimpl
def player_schema() -> type[Schema]:
    return PlayerRoles


@hookimpl
def describe_player(player: Player, now: int) -> dict[str, Any]:
    mine = (Role.player_id == player.key) & (Role.until > now)
    held = Role.select().where(mine).order_by(Role.name)
    ends = {role.name: None if role.until == WITHOUT_END else role.until for role in held}
    return {"roles": {name: format_time(until) for name, until in ends.items()}}


@hookimpl
def export_player(player: Player) -> dict[str, Any]:
    mine = Role.select().where(Role.player_id == player.key)
    return {"roles": ({"name": one.name, "until": one.until} for one in mine)}


@hookimpl
def erase_player(player: Player, new_key: str) -> int:
    if new_key == player.key:
        return 0
    return int(Role.update(player_id=new_key).where(Role.player_id == player.key).execute())
