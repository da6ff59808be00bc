"""What game servers post: the platforms' own samples, and each way a field of them can be wrong."""

import copy
import json
from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]
Place = tuple[str | int, ...]
MISSING = object()

# The documents' samples as JSON: G123's without its trailing comma, its comment, its stray line.
G123_SAMPLE = b"""{
  "uid": "123",
  "game_server_id": "s73",
  "ctwid": "GIL6T4C0",
  "timestamp": 1605076260715,
  "level": 10,
  "data": {
    "game_user_id": "1234567",
    "role": {
      "id": "3444382",
      "exp": "1",
      "vip_level": "0",
      "vip_exp": "0",
      "virtual_balance": {"diamond": "1234", "gold": "567000"}
    },
    "custom": {"reg_server_id": "1"}
  },
  "custom": {"device_id": "", "physical_server": "$SERVER_HOST|$SERVER_IP"}
}"""
SUD_START_SAMPLE = b"""{
  "report_type": "game_start",
  "report_msg": {
    "mg_id": 1461227817776713818,
    "mg_id_str": "1461227817776713818",
    "room_id": "xxx123",
    "game_mode": 1,
    "game_round_id": "ce56b6lzi1a7-cehorlmy01pq-cqkdd39jyrmz",
    "battle_start_at": 1638845715,
    "players": [{"uid": "u2", "is_ai": 0}, {"uid": "u1", "is_ai": 0}],
    "report_game_info_extras":"custom param"
  },
  "uid": "u1",
  "ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"
}"""
SUD_SETTLE_SAMPLE = b"""{
  "report_type": "game_settle",
  "report_msg": {
    "mg_id": 1461227817776713818,
    "mg_id_str": "1461227817776713818",
    "room_id": "xxx123",
    "game_mode": 1,
    "game_round_id": "ce56b6lzi1a7-cehorlmy01pq-cqkdd39jyrmz",
    "battle_start_at": 1638845715,
    "battle_end_at": 1638845720,
    "battle_duration": 5,
    "results": [
      {"uid": "u2", "rank": 1, "is_escaped": 0, "is_ai": 0, "role": 0, "score":1, "is_win":1},
      {"uid": "", "rank": 2, "is_escaped": 0, "is_ai": 1, "role": 0, "score":2, "is_win":0}
    ],
    "report_game_info_extras":"custom param"
  },
  "uid": "u1",
  "ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"
}"""
SAMPLES = {
    "level_up": G123_SAMPLE,
    "game_start": SUD_START_SAMPLE,
    "game_settle": SUD_SETTLE_SAMPLE,
}
SS_TOKEN = "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"


def make_level_up(uid: str = "u1", level: int = 10, **changes: Any) -> Body:
    """A level_up with every field of the sheet; Bob's where uid is his nickname."""
    body: Body = {
        "uid": uid, "server_id": "s73", "ctwid": "GIL6T4C0", "timestamp": 1_605_076_260_715,
        "level": level,
        "data": {
            "game_user_id": "1234567",
            "role": {"id": "3444382", "exp": "1", "virtual_balance": {"diamond": "1234"}},
            "custom": {"reg_server_id": "1", "physical_server": "host|10.0.0.1"},
        },
        "custom": {"device_id": "", "physical_server": "host|10.0.0.1"},
    }  # fmt: skip
    return body | changes


def make_human(uid: str, **changes: Any) -> Body:
    return {"uid": uid, "is_ai": 0, "ai_level": 0} | changes


def make_result(uid: str, rank: int = 1, **changes: Any) -> Body:
    """A result with every field of the sheet; a robot's where uid is empty."""
    return {
        "uid": uid, "rank": rank, "is_escaped": 0, "is_ai": int(not uid), "role": 0, "score": 7,
        "is_win": 2, "award": 3, "is_managed": 0, "ai_level": 0, "extras": "{}",
    } | changes  # fmt: skip


def make_message(id: str, **changes: Any) -> Body:
    return {
        "mg_id": 1_461_227_817_776_713_818, "mg_id_str": "1461227817776713818",
        "room_id": "xxx123", "game_mode": 1, "game_round_id": id,
        "battle_start_at": 1_638_845_715, "report_game_info_extras": "custom param",
        "report_game_info_key": "key",
    } | changes  # fmt: skip


def make_start(id: str = "r1", *uids: str, **changes: Any) -> Body:
    """A game_start of these players, led by u1; `changes` are the message's."""
    players = [make_human(uid) for uid in uids or ("u1", "u2")]
    message = make_message(id, players=players) | changes
    return {"report_msg": message, "uid": "u1", "ss_token": SS_TOKEN}


def make_settle(id: str = "r1", *uids: str, **changes: Any) -> Body:
    """A game_settle of these players, ranked in this order; `changes` are the message's."""
    results = [make_result(uid, rank) for rank, uid in enumerate(uids or ("u1", "u2"), 1)]
    times = {"battle_end_at": 1_638_845_720, "battle_duration": 5}
    message = make_message(id, results=results, **times) | changes
    return {"report_msg": message, "uid": "u1", "ss_token": SS_TOKEN}


MAKERS = {"level_up": make_level_up, "game_start": make_start, "game_settle": make_settle}


def change(body: Any, place: Place, value: Any) -> Any:
    """A copy with another value at this place; without it for MISSING."""
    changed = copy.deepcopy(body)
    holder = changed
    for part in place[:-1]:
        holder = holder[part]
    if value is MISSING:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


NO_NUMBERS = (None, "1", "", True, False, 1.0, 1.5, [], {}, [1])
NO_TEXTS = (None, 1, 1.5, True, [], {}, ["x"], "\ud800", "x\udfff")
NO_OBJECTS = (None, 1, "x", True, [], [{}])
WRONG: dict[str, tuple[Any, ...]] = {
    "id": (*NO_TEXTS, "", "x" * 256),
    "text of 1 to 255": (*NO_TEXTS, "", "x" * 256),
    "text to 255": (*NO_TEXTS, "x" * 256),
    "text of 1 to 1024": (*NO_TEXTS, "", "x" * 1025),
    "text of 1 to 4096": (*NO_TEXTS, "", "x" * 4097),
    "text": (*NO_TEXTS, "x" * 65537),
    "int32": (*NO_NUMBERS, 2**31, -(2**31) - 1, 2**63, 10**30),
    "int64": (*NO_NUMBERS, 2**63, -(2**63) - 1),
    "seconds": (*NO_NUMBERS, -1, 2**31),
    "level": (*NO_NUMBERS, -1, 2**31),
    "ms": (*NO_NUMBERS, -1, 253_402_300_800_000),
    "rank": (*NO_NUMBERS, 0, -1, 2**31),
    "0 or 1": (*NO_NUMBERS, 2, -1),
    "0 to 3": (*NO_NUMBERS, 4, -1),
    "object": NO_OBJECTS,
    "list": (None, 1, "x", True, {}, {"0": {}}),
    "entry": NO_OBJECTS,
    "mg_id as text": (*NO_TEXTS, "", "1", "01461227817776713818"),
}  # fmt: skip
LEVEL_UP_FIELDS: dict[Place, tuple[str, bool]] = {  # kind, required
    ("uid",): ("id", True),
    ("server_id",): ("id", True),
    ("ctwid",): ("text of 1 to 255", True),
    ("timestamp",): ("ms", True),
    ("level",): ("level", True),
    ("data",): ("object", True),
    ("data", "game_user_id"): ("text to 255", True),
    ("data", "role"): ("object", True),
    ("data", "custom"): ("object", True),
    ("data", "custom", "physical_server"): ("text of 1 to 1024", False),
    ("custom",): ("object", False),
    ("custom", "physical_server"): ("text of 1 to 1024", False),
}
MESSAGE_FIELDS: dict[Place, tuple[str, bool]] = {
    ("mg_id",): ("int64", True),
    ("mg_id_str",): ("mg_id as text", False),
    ("room_id",): ("text to 255", True),
    ("game_mode",): ("int32", True),
    ("game_round_id",): ("id", True),
    ("battle_start_at",): ("seconds", True),
    ("report_game_info_extras",): ("text", False),
    ("report_game_info_key",): ("text", False),
}
START_FIELDS: dict[Place, tuple[str, bool]] = {
    ("players",): ("list", True),
    ("players", 1): ("entry", False),
    ("players", 1, "uid"): ("text to 255", True),
    ("players", 1, "is_ai"): ("0 or 1", True),
    ("players", 1, "ai_level"): ("int32", False),
}
SETTLE_FIELDS: dict[Place, tuple[str, bool]] = {
    ("battle_end_at",): ("seconds", True),
    ("battle_duration",): ("seconds", True),
    ("results",): ("list", True),
    ("results", 1): ("entry", False),
    ("results", 1, "uid"): ("text to 255", True),
    ("results", 1, "rank"): ("rank", True),
    ("results", 1, "is_escaped"): ("0 or 1", True),
    ("results", 1, "is_ai"): ("0 or 1", True),
    ("results", 1, "role"): ("int32", False),
    ("results", 1, "score"): ("int32", False),
    ("results", 1, "is_win"): ("0 to 3", False),
    ("results", 1, "award"): ("int32", False),
    ("results", 1, "is_managed"): ("int32", False),
    ("results", 1, "ai_level"): ("int32", False),
    ("results", 1, "extras"): ("text", False),
}
LEADER_FIELDS: dict[Place, tuple[str, bool]] = {
    ("uid",): ("id", True),
    ("ss_token",): ("text of 1 to 4096", True),
    ("report_msg",): ("object", True),
}


def list_fields(type: str) -> dict[Place, tuple[str, bool]]:
    """Every field of a body, by its place: its kind, and whether it must be there."""
    if type == "level_up":
        return LEVEL_UP_FIELDS
    inner = MESSAGE_FIELDS | (START_FIELDS if type == "game_start" else SETTLE_FIELDS)
    return LEADER_FIELDS | {("report_msg", *place): what for place, what in inner.items()}


def list_wrong(type: str) -> Iterator[tuple[Place, Any]]:
    """Each field with each value that is wrong for it; MISSING where it must be there."""
    for place, (kind, is_required) in list_fields(type).items():
        yield from ((place, value) for value in WRONG[kind])
        if is_required:
            yield place, MISSING


def list_leaves(errors: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The places that a problem's errors name; `_schema` stands for the object it is in."""
    if isinstance(errors, dict):
        named = [
            list_leaves(inner, place if name == "_schema" else (*place, str(name)))
            for name, inner in errors.items()
        ]
        return [one for some in named for one in some]
    assert isinstance(errors, list), errors
    assert errors, place
    assert all(isinstance(line, str) for line in errors), errors
    return [place]


def name_place(place: Place) -> tuple[str, ...]:
    return tuple(str(part) for part in place)


def dump_ascii(body: Any) -> bytes:
    """JSON with every character escaped that can be: also lone surrogates."""
    return json.dumps(body).encode()
