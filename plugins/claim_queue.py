"""The claim queue: a reward that waits until the player's game server fetches it over HTTP."""

from typing import Any

from marshmallow import Schema, fields, validate

from app import Batch, Database, Event, NotReady, Player, Reward, Settings, hookimpl, queue_claims


class ClaimReward(Schema):
    """`payload` is any table; {nickname}, {server_id} and {event_id} in its strings are filled in."""

    payload = fields.Dict(
        keys=fields.String(), required=True, validate=validate.Length(min=1, max=100)
    )


@hookimpl
def reward_schemas() -> dict[str, type[Schema]]:
    return {"claim": ClaimReward}


@hookimpl
def grant_reward(
    reward: Reward, event: Event, player: Player, batch: Batch, now: int
) -> dict[str, Any] | None:
    if reward.kind != "claim":
        return None
    if not event.server_id:
        raise NotReady("the vote names no server, so no game server could fetch its claim")
    values = {
        "{nickname}": player.nickname,
        "{server_id}": event.server_id,
        "{event_id}": event.id,
    }
    payload = fill_template(reward.params["payload"], values)
    batch.gather(write_claims, (now, (event, player, payload)))
    return {"payload": payload}


def fill_template(template: Any, values: dict[str, str]) -> Any:
    """The template with each placeholder replaced once: a nickname cannot bring one of its own."""
    if isinstance(template, str):
        for name, value in values.items():
            head, found, tail = template.partition(name)
            if found:
                return fill_template(head, values) + value + fill_template(tail, values)
        return template
    if isinstance(template, dict):
        return {key: fill_template(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill_template(value, values) for value in template]
    return template


def write_claims(rows: list[tuple[int, Any]], db: Database, settings: Settings) -> None:
    queue_claims([claim for _, claim in rows], rows[0][0])
