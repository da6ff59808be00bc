"""What game servers post, for /openapi.json."""

from typing import Any

ROUND: dict[str, Any] = {
    "mg_id": 1461227817776713818,
    "room_id": "room-1",
    "game_mode": 1,
    "game_round_id": "ce56b6lzi1a7-cehorlmy01pq",
    "battle_start_at": 1638845715,
}
LEADER = {"uid": "u1", "ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"}

LEVEL_UP: dict[str, Any] = {
    "uid": "123",
    "server_id": "s73",
    "ctwid": "GIL6T4C0",
    "timestamp": 1605076260715,
    "level": 10,
    "data": {
        "game_user_id": "1234567",
        "role": {"id": "3444382"},
        "custom": {"physical_server": "game.example|203.0.113.7"},
    },
}
GAME_START: dict[str, Any] = {
    **LEADER,
    "report_msg": {**ROUND, "players": [{"uid": "u1", "is_ai": 0}, {"uid": "", "is_ai": 1}]},
}
GAME_SETTLE: dict[str, Any] = {
    **LEADER,
    "report_msg": {
        **ROUND,
        "battle_end_at": 1638845720,
        "battle_duration": 5,
        "results": [
            {"uid": "u1", "rank": 1, "is_escaped": 0, "is_ai": 0, "score": 7},
            {"uid": "", "rank": 2, "is_escaped": 0, "is_ai": 1, "score": 3},
        ],
    },
}
LEASE = {"server_id": "1", "limit": 10, "seconds": 60}
ACKNOWLEDGEMENT = {"lease": "7f3c1f0e5a9b4c2d8e6f0a1b2c3d4e5f"}
