"""The claim queue: a reward that waits until the player's game server fetches it over HTTP.

What fills a placeholder was chosen by a stranger. A value that is the placeholder alone takes it as it
is; within a longer text, which may be a command, it must be a plain word, or the vote waits.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from app import (
    Batch,
    Database,
    Event,
    NotReady,
    PatternField,
    Player,
    Reward,
    Settings,
    dump_json,
    escape_text,
    hookimpl,
    queue_claims,
    shorten,
)

NAME = "claim_queue"
PLACEHOLDER = re.compile(r"\{(nickname|server_id|event_id)\}")
# Ids within a longer text: no space and no quote, which end a word, no @ and no $, which choose others.
ID = re.compile(r"[A-Za-z0-9_.:%-]{1,255}")
NICKNAME = "{nickname}"
LONGEST = 60_000  # bytes of a payload as JSON once it is filled in: what queue and ledger keep
LONGEST_VALUE = 255 * 6  # bytes of a name in JSON, in which a character may become \u0000


def check_length(payload: Any) -> None:
    """Refuse at the start what could be too long for a vote with a long name."""
    template = dump_json(payload)
    longest = len(template.encode()) + LONGEST_VALUE * len(PLACEHOLDER.findall(template))
    if longest > LONGEST:
        raise ValidationError(f"may have {longest} bytes once it is filled in, at most {LONGEST}")


class Section(Schema):
    inside = PatternField(load_default=re.compile(r"[A-Za-z0-9_.-]{1,48}"))


class ClaimReward(Schema):
    """`payload` is any table; {nickname}, {server_id} and {event_id} in its strings are filled in."""

    payload = fields.Dict(
        keys=fields.String(),
        required=True,
        validate=[validate.Length(min=1, max=100), check_length],
    )

    @staticmethod
    def check_for_server(params: Mapping[str, Any]) -> str:
        """A party may give it to a server, which has no nickname."""
        return "payload: a server has no {nickname}" if NICKNAME in dump_json(params) else ""


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"claim": ClaimReward}


@hookimpl
def grant_reward(
    reward: Reward, event: Event, player: Player, settings: Settings, batch: Batch, now: int
) -> dict[str, Any] | None:
    if reward.kind != "claim":
        return None
    if not event.server_id:
        raise NotReady("the vote names no server, so no game server could fetch its claim")
    if player.nickname.strip():
        settings.players.read_name(player.nickname)  # raises where nobody may be called so
    values = {
        "nickname": player.nickname.strip(),
        "server_id": event.server_id,
        "event_id": event.id,
    }
    allowed = {"nickname": settings[NAME]["inside"], "server_id": ID, "event_id": ID}

    def fill(name: str, is_alone: bool) -> str:
        return choose_filling(name, values[name], None if is_alone else allowed[name])

    payload = fill_template(reward.params["payload"], fill)
    batch.gather(write_claims, (now, (event, player, payload)))
    return {"payload": payload}


def choose_filling(name: str, value: str, allowed: re.Pattern[str] | None) -> str:
    """What fills a placeholder; `allowed` is what it may be within a longer text, None: it is alone.

    Raises NotReady where it could be more than one plain word, or is nothing.
    """
    if allowed is None:
        is_fine = bool(value) and (name == "nickname" or escape_text(value) == value)
    else:
        is_fine = bool(allowed.fullmatch(value))
    if not is_fine:
        where = "fill a place" if allowed is None else "stand within a longer text"
        hint = ": [plugins.claim_queue] inside does not match it" if name == "nickname" else ""
        raise NotReady(f"the {name} {shorten(value)} may not {where} of a claim{hint}")
    return value


def fill_template(template: Any, fill_place: Callable[[str, bool], str]) -> Any:
    """The template with each placeholder replaced once: a nickname cannot bring one of its own.

    `fill_place` is given its name, and whether it is all there is of its string.
    """
    if isinstance(template, str):
        is_alone = bool(PLACEHOLDER.fullmatch(template))
        return PLACEHOLDER.sub(lambda found: fill_place(found[1], is_alone), template)
    if isinstance(template, dict):
        return {key: fill_template(value, fill_place) for key, value in template.items()}
    if isinstance(template, list):
        return [fill_template(value, fill_place) for value in template]
    return template


def write_claims(rows: list[tuple[int, Any]], db: Database, settings: Settings) -> None:
    queue_claims([claim for _, claim in rows], rows[0][0])
