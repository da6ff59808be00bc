"""Events of the ledger, made Events again as they were settled."""

import json
from typing import Any

from app.database.keys import make_event_key
from app.porch.rounds import ROUNDS
from app.porch.types import Event

HAS_PARTS = "EXISTS (SELECT 1 FROM guerdon_parts WHERE guerdon_parts.event = guerdon_events.id)"


def rebuild_event(row: dict[str, Any], has_parts: bool) -> Event:
    """The Event of a row, as it was settled.

    Its key tells whether it is shared. Of events of before `earns` was kept, a round as a whole and
    whatever came with parts are taken to earn nothing themselves.
    """
    is_shared = bytes(row["ordered_key"]) == make_event_key("", row["type"], row["event_id"])
    earns = row["earns"]
    if earns is None:
        earns = is_shared or (row["type"] not in ROUNDS and not has_parts)
    return Event(
        row["source"], row["type"], row["event_id"], row["server_id"], row["nickname"],
        row["user_id"], row["occurred_at"], json.loads(row["data"]), bool(earns), is_shared,
    )  # fmt: skip
