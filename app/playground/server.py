"""The game server's part: levels and rounds, as the bodies that it posts to Guerdon's /v1/events."""

import json
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any

from app.playground.choice import Choice
from app.playground.courier import Courier
from app.porch.rounds import join_key

GAME = 1461227817776713818  # an mg_id, longer than a float can hold
FIRST_LEVEL = 9
ROBOTS = 2
ROUND_LENGTH = 60  # seconds
RANKS = (1, 2, 3)  # to choose from


class GameServer:
    """Knows which level a player reaches next, and who plays in the round that is open."""

    def __init__(self, courier: Courier, mates: Sequence[str]) -> None:
        """`mates` play in every round."""
        self._courier = courier
        self._mates = mates
        self._levels: dict[Choice, int] = {}
        self._rounds: dict[Choice, str] = {}

    def find_level(self, choice: Choice) -> int:
        """The next level of a player on a server: the first that Guerdon has not heard of."""
        level = self._levels.get(choice, FIRST_LEVEL)
        while self._knows(choice, level):
            level += 1
        self._levels[choice] = level
        return level

    def _knows(self, choice: Choice, level: int) -> bool:
        id_ = join_key(choice.nickname, choice.server, str(level))
        return self._courier.read_event("level_up", id_).status == 200

    def find_round(self, choice: Choice) -> str | None:
        """The round that this player began and did not end."""
        return self._rounds.get(choice)

    def list_mates(self, choice: Choice) -> list[str]:
        return [mate for mate in self._mates if mate != choice.nickname][:2]

    def write_level(self, choice: Choice, level: int) -> bytes:
        """The body of level_up: G123's fields."""
        account = f"account-{choice.nickname}"[:255]
        body = {
            "uid": choice.nickname,
            "server_id": choice.server,
            "ctwid": "GIL6T4C0",
            "timestamp": int(time.time() * 1000),
            "level": level,
            "data": {
                "game_user_id": account,
                "role": {
                    "id": "3444382", "exp": "1", "vip_level": "0", "vip_exp": "0",
                    "virtual_balance": {"diamond": "1234", "gold": "567000"},
                },
                "custom": {"physical_server": f"game{choice.server}.example|192.0.2.1"},
            },
        }  # fmt: skip
        return dump(body)

    def start_round(self, choice: Choice) -> bytes:
        """The body of game_start; the round is open until it is settled."""
        self._rounds[choice] = uuid.uuid4().hex[:12]
        humans = [choice.nickname, *self.list_mates(choice)]
        players = [{"uid": uid, "is_ai": 0} for uid in humans] + [make_robot()] * ROBOTS
        message = describe_round(choice, self._rounds[choice], int(time.time()))
        return write_report(choice, message | {"players": players})

    def settle_round(self, choice: Choice, rank: int) -> tuple[str, bytes]:
        """A round and the body of its game_settle: the player came out as `rank`.

        It is the open round, or a new one if none is open.
        """
        round_id = self._rounds.pop(choice, None) or uuid.uuid4().hex[:12]
        others = [{"uid": mate, "is_ai": 0} for mate in self.list_mates(choice)]
        others += [make_robot()] * ROBOTS
        random.shuffle(others)
        others.insert(rank - 1, {"uid": choice.nickname, "is_ai": 0})
        results = [
            {**one, "rank": place, "is_escaped": 0, "score": 100 // place}
            for place, one in enumerate(others, 1)
        ]
        now = int(time.time())
        message = describe_round(choice, round_id, now - ROUND_LENGTH)
        message |= {"battle_end_at": now, "battle_duration": ROUND_LENGTH, "results": results}
        return round_id, write_report(choice, message)


def make_robot() -> dict[str, Any]:
    return {"uid": "", "is_ai": 1}


def describe_round(choice: Choice, round_id: str, began: int) -> dict[str, Any]:
    """What start and settle of a round share; `began` in seconds."""
    return {
        "mg_id": GAME,
        "mg_id_str": str(GAME),
        "room_id": f"room-{choice.server}",
        "game_mode": 1,
        "game_round_id": round_id,
        "battle_start_at": began,
        "report_game_info_extras": "",
    }


def write_report(choice: Choice, message: dict[str, Any]) -> bytes:
    token = f"sstoken-{uuid.uuid4().hex}"
    return dump({"report_msg": message, "uid": choice.nickname, "ss_token": token})


def dump(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
