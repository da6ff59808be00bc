"""Promo codes: each is given to one player, once; a pool that is empty makes its votes wait."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields
from peewee import AutoField, BigIntegerField, CharField, Model

from app import (
    Command,
    Database,
    Event,
    Gauge,
    GuerdonError,
    NotReady,
    Player,
    Reward,
    RewardName,
    hookimpl,
    run_in_chunks,
)


class PromoCode(Model):
    id = AutoField()
    pool = CharField(64)
    code = CharField(255)
    player_id = CharField(255, default="")  # "": not given yet
    event_type = CharField(64, default="")
    event_id = CharField(255, default="")
    given_at = BigIntegerField(null=True)  # ms since the epoch, UTC

    class Meta:
        table_name = "guerdon_promo_codes"
        indexes = (
            (("pool", "code"), True),
            (("pool", "player_id", "id"), False),
            (("player_id",), False),
        )


class PromoCodeReward(Schema):
    pool = RewardName(64, required=True)


@hookimpl
def plugin_models() -> list[type[Model]]:
    return [PromoCode]


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"promo_code": PromoCodeReward}


@hookimpl
def grant_reward(
    reward: Reward, event: Event, player: Player, db: Database, now: int
) -> dict[str, Any] | None:
    if reward.kind != "promo_code":
        return None
    pool = reward.params["pool"]
    while row := find_free_code(pool, db):
        if take_code(row.id, event, player, now):
            return {"pool": pool, "code": row.code}
    raise NotReady(f'no promo code is left in the pool "{pool}"')


def take_code(id_: int, event: Event, player: Player, now: int) -> bool:
    """Whether the code was still free and is the player's now: this decides, on every database."""
    his = {"player_id": player.key, "event_type": event.type, "event_id": event.id, "given_at": now}
    is_free = (PromoCode.id == id_) & (PromoCode.player_id == "")
    return bool(PromoCode.update(his).where(is_free).execute())


def find_free(pool: str) -> Any:
    return PromoCode.select().where(PromoCode.pool == pool, PromoCode.player_id == "")


def find_free_code(pool: str, db: Database) -> Any:
    query = find_free(pool).order_by(PromoCode.id)
    return (query.for_update(skip_locked=True) if db.for_update else query).first()  # no waiting


class PlayerCodes(Schema):
    promo_codes = fields.List(fields.String(), metadata={"description": "the player's codes"})


@hookimpl
def player_schema() -> type[Schema]:
    return PlayerCodes


@hookimpl
def describe_player(player: Player) -> dict[str, Any]:
    mine = PromoCode.select().where(PromoCode.player_id == player.key).order_by(PromoCode.id)
    return {"promo_codes": [row.code for row in mine]}


@hookimpl
def erase_player(player: Player, names: Sequence[str], pseudonym: str, new_key: str) -> int:
    """A given code stays given; which event it was for is told by its grant."""
    mine = (PromoCode.player_id << [player.key, new_key]) & (PromoCode.event_id != pseudonym)
    changes = PromoCode.update(player_id=new_key, event_id=pseudonym)
    return int(changes.where(mine).execute())


@hookimpl
def gauges(db: Database) -> list[Gauge]:
    return [
        Gauge("promo_codes_left", find_free(pool).count(), {"pool": pool}, "Codes nobody has.")
        for pool in list_pools(db)
    ]


def list_pools(db: Database) -> Iterator[str]:
    """One step along the index for each, however many codes it has."""
    sql, pool = f"SELECT MIN(pool) FROM guerdon_promo_codes WHERE pool > {db.param}", ""
    while pool := db.execute_sql(sql, (pool,)).fetchone()[0]:
        yield pool


@hookimpl
def commands() -> list[Command]:
    text = "Add the codes in FILE, one a line, to POOL; those it has already are left out."
    return [Command("promo-codes", "import", ("pool", "file"), text, import_codes)]


def import_codes(db: Database, progress: Callable[..., Any], pool: str, file: str) -> str:
    if pool != pool.strip() or not 0 < len(pool) <= 64:
        raise GuerdonError("a pool's name has 1 to 64 characters, and no space before or after")
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GuerdonError(f"{file} cannot be read: {error}") from None
    codes = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if too_long := [number for number, line in enumerate(lines, 1) if len(line.strip()) > 255]:
        raise GuerdonError(f"{file}, line {too_long[0]}: a code has at most 255 characters")

    def add_codes(some: Sequence[str]) -> int:
        mine = (PromoCode.pool == pool) & (PromoCode.code << list(some))
        known = {row.code for row in PromoCode.select(PromoCode.code).where(mine)}
        rows = [{"pool": pool, "code": code} for code in some if code not in known]
        if rows:
            PromoCode.insert_many(rows).execute()
        return len(rows)

    added = run_in_chunks(db, codes, add_codes, progress)
    return f"{added} codes added to the pool {pool}, {len(codes) - added} were there already"
