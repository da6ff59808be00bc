"""The claim queue: rewards that wait for a game server, leased, acknowledged, leased again."""

import json
from collections.abc import Iterable
from typing import Any

from app.database.claim_models import Claim
from app.database.leases import NO_ENDS, take_leases
from app.database.opening import Database
from app.database.states import BoxState
from app.database.texts import is_same_text
from app.failpoints import reach
from app.porch.errors import BadClaim
from app.porch.json import dump_json
from app.porch.types import Event, Player

LONGEST_LEASE = 3600  # seconds that a game server may ask for
FOR_EVER = 2**31 - 1  # takes: a player may stay away for long, and nothing of ours dies of a claim


def queue_claims(claims: Iterable[tuple[Event, Player, dict[str, Any]]], now: int) -> None:
    """Inside: store one claim for each (event, player, payload); `now` in ms."""
    rows = [
        {
            "server_id": event.server_id, "player_id": player.key, "nickname": player.nickname,
            "event_type": event.type, "event_id": event.id, "payload": dump_json(payload),
            "state": BoxState.READY, "lease_token": "", "lease_until": 0, "takes": 0, "created_at": now,
        }
        for event, player, payload in claims
    ]  # fmt: skip
    for start in range(0, len(rows), 200):
        Claim.insert_many(rows[start : start + 200]).execute()


def lease_claims(
    database: Database,
    server_id: str,
    limit: int,
    seconds: float,
    now: int,
    running: tuple[int, int] = NO_ENDS,
) -> dict[str, Any]:
    """Up to `limit` claims of a server, its own until `seconds` have passed; as JSON.

    `running`: as take_leases has it.
    """

    def note(rows: list[Claim]) -> list[Claim]:
        reach("claims: leased, before COMMIT")
        return rows

    mine = is_same_text(database, Claim.server_id, server_id)
    lease = take_leases(
        database, Claim, mine, Claim.id, limit, now, int(seconds * 1000),
        FOR_EVER, note=note, longest=LONGEST_LEASE * 1000, running=running,
    )  # fmt: skip
    reach("claims: leased, after COMMIT")
    return {
        "lease": lease.token,
        "leased_until": lease.until,
        "claims": [
            {
                "id": row.id, "server_id": row.server_id, "nickname": row.nickname,
                "event": {"type": row.event_type, "id": row.event_id},
                "payload": json.loads(row.payload), "lease": lease.token,
            }
            for row in lease.rows
        ],
    }  # fmt: skip


def acknowledge_claim(database: Database, id: int, lease: str | None, now: int) -> None:
    """The game server has given the claim out. Again is fine; raises BadClaim otherwise.

    With `lease`, only its holder may, also when its time is up and nobody else has leased it since;
    without, any server may while the claim is leased.
    """
    open_states = [BoxState.LEASED] if lease is None else [BoxState.LEASED, BoxState.READY]

    def end(is_retry: bool) -> bool:
        row: Claim | None = Claim.get_or_none(Claim.id == id)
        if row is None:
            raise BadClaim(f"there is no claim {id}", 404)
        token = row.lease_token if lease is None else lease
        mine = (Claim.id == id) & (Claim.lease_token == token)
        changes = Claim.update(state=BoxState.DONE, done_at=now)
        if token and changes.where(mine & (Claim.state << open_states)).execute():
            reach("claims: acknowledged, before COMMIT")
            return True
        return bool(Claim.select().where(mine & (Claim.state == BoxState.DONE)).exists())

    if not database.transact(end):
        raise BadClaim(
            "the claim is not leased, or somebody else's by now: lease it again before giving it",
            409,
        )
    reach("claims: acknowledged, after COMMIT")
