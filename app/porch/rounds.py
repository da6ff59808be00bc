"""What a game tells of levels and rounds, as events; pure functions.

The bodies are those of POST /v1/events/<type>; a plugin whose platform reports rounds in the same
shape may use them too.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from app.porch.errors import BadDelivery
from app.porch.text import is_unicode
from app.porch.types import Delivery, Event, EventType

GAME_SERVER = "game-server"  # the source of these events; no plugin can have such a name
LEVEL_UP = "level_up"
ROUNDS = {"game_start": "players", "game_settle": "results"}  # where the players stand
TIMES = {"game_start": "battle_start_at", "game_settle": "battle_end_at"}  # seconds
TYPES = (LEVEL_UP, *ROUNDS)
ROUND_FACTS = (
    "mg_id", "mg_id_str", "room_id", "game_mode", "game_round_id", "battle_start_at",
    "report_game_info_extras", "report_game_info_key", "uid", "is_ai", "ai_level",
)  # fmt: skip
RESULT_FACTS = ("rank", "is_escaped", "role", "score", "is_win", "award", "is_managed", "extras")
# What rules may ask of them; a game may tell more, which a plugin's event_types can name.
GAME_EVENTS = {
    LEVEL_UP: EventType(("uid", "server_id", "ctwid", "timestamp", "level"), needs_rule=False),
    "game_start": EventType(ROUND_FACTS, needs_rule=False),
    "game_settle": EventType(
        (*ROUND_FACTS, "battle_end_at", "battle_duration", *RESULT_FACTS), needs_rule=False
    ),
}
LONGEST_KEY = 255  # characters
LONGEST_FACT = 256  # characters, its name among them
MOST_FACTS = 40  # of a round, kept with each of its players
LARGEST_ROUND = 1000  # players, robots too


def describe_game_events(*types: str) -> dict[str, EventType]:
    """What is known beforehand of events of these types; for a plugin's event_types."""
    return {type: GAME_EVENTS[type] for type in types}


def join_key(*parts: str) -> str:
    """One text of at most 255 characters for these texts, another for any others.

    `:` stands between the parts and is %3A within one; what would be too long becomes a SHA-256.
    """
    key = ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)
    if len(key) > LONGEST_KEY:
        key = "%sha256%" + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return key


def list_game_events(type: str, body: Mapping[str, Any], source: str = GAME_SERVER) -> list[Event]:
    """The events of a body: itself, and one for each human of a round, which the rules may pay.

    A player's part of a round is the same whoever tells of the round: it is paid once.

    Raises ValueError naming the field that no event can be made of.
    """
    if type == LEVEL_UP:
        return [make_level_event(body, source)]
    message = body.get("report_msg")
    if not isinstance(message, dict):
        raise ValueError("report_msg is not an object")
    round_id = message.get("game_round_id")
    if not isinstance(round_id, str) or not round_id:
        raise ValueError("report_msg.game_round_id is not a string of at least one character")
    if not is_unicode(round_id):
        raise ValueError("report_msg.game_round_id is not valid Unicode")
    seconds = message.get(TIMES[type])
    is_time = isinstance(seconds, int) and 0 <= seconds < 2**40
    shared: dict[str, Any] = {
        "server_id": name_game(message.get("mg_id") or message.get("mg_id_str")),
        "occurred_at": seconds * 1000 if is_time and seconds is not None else None,
    }
    leader = body.get("uid")
    if isinstance(leader, str):
        require_user_id("uid", leader)
    whole = Event(
        source, type, join_key(round_id), user_id=leader if isinstance(leader, str) else "",
        data=body, earns=False, **shared,
    )  # fmt: skip
    facts = dict([item for item in message.items() if is_fact(*item)][:MOST_FACTS])
    return [whole] + [
        Event(
            source, type, join_key(round_id, human["uid"]), user_id=human["uid"],
            data={**facts, **human}, is_shared=True, **shared,
        )
        for human in list_humans(ROUNDS[type], message)
    ]  # fmt: skip


def require_user_id(place: str, uid: str) -> None:
    """Raise ValueError for one that no event can be kept with."""
    if len(uid) > LONGEST_KEY:
        raise ValueError(f"{place} is longer than {LONGEST_KEY} characters")
    if not is_unicode(uid):
        raise ValueError(f"{place} is not valid Unicode")


def name_game(mg_id: Any) -> str:
    """The id of a game as text, "" for what is none."""
    return (
        str(mg_id)
        if isinstance(mg_id, int | str) and str(mg_id).isascii() and len(str(mg_id)) <= 64
        else ""
    )


def is_fact(name: str, value: Any) -> bool:
    """Whether what is said of a round is kept with each player too: they may be many, so it is short."""
    return not isinstance(value, list | dict) and len(name) + len(str(value)) <= LONGEST_FACT


def read_game_delivery(source: str, type: Any, body: dict[str, Any]) -> Delivery:
    """The delivery of a platform's own start or settle of a round; other types are ignored.

    Raises BadDelivery naming the field that no event can be made of.
    """
    if not isinstance(type, str):
        raise BadDelivery("report_type is not a string")
    if type not in ROUNDS:
        return Delivery(source, type, "", ignored="not a type we handle")
    try:
        return Delivery(source, type, list_game_events(type, body, source)[0].id, data=body)
    except ValueError as error:
        raise BadDelivery(str(error)) from None


def make_level_event(body: Mapping[str, Any], source: str) -> Event:
    uid, server_id, level = body["uid"], body["server_id"], body["level"]
    return Event(
        source, LEVEL_UP, join_key(uid, server_id, str(level)), server_id=server_id, user_id=uid,
        occurred_at=body["timestamp"], data=body,
    )  # fmt: skip


def list_humans(name: str, message: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The entries of `name` that are no robots: `is_ai` 0 and a uid. ValueError names a bad one."""
    entries = message.get(name)
    if not isinstance(entries, list):
        raise ValueError(f"report_msg.{name} is not a list")
    if len(entries) > LARGEST_ROUND:
        raise ValueError(f"report_msg.{name} has more than {LARGEST_ROUND} entries")
    humans: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        place = f"report_msg.{name}[{number}]"
        if not isinstance(entry, dict):
            raise ValueError(f"{place} is not an object")
        uid = entry.get("uid") or ""
        if not isinstance(uid, str):
            raise ValueError(f"{place}.uid is not a string")
        if not uid or (entry.get("is_ai") or 0) not in (0, "0"):
            continue
        require_user_id(f"{place}.uid", uid)
        if uid in humans:
            raise ValueError(f"{place}.uid: the same player is there twice")
        humans[uid] = entry
    return list(humans.values())
