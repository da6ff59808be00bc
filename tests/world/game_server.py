"""What a game server does: posts level-ups and rounds to /v1, and looks what became of them."""

from typing import Any

from app import create_app
from app.database.models import Report
from app.guerdon import Guerdon
from app.testing.deliveries import API_KEY
from app.testing.waiting import wait_until
from app.web.examples import LEVEL_UP

BIG_ID = 1461227817776713818  # a mg_id, beyond what a float holds
ROLE = {
    "id": "3444382",
    "exp": "1",
    "vip_level": "0",
    "vip_exp": "0",
    "virtual_balance": {"diamond": "1234", "gold": "567000"},
}


def make_level_up(**changes: Any) -> dict[str, Any]:
    """As in G123's sample, with the physical server where the table wants it."""
    custom = {"reg_server_id": "1", "physical_server": "s73.example"}
    data = LEVEL_UP["data"] | {"role": ROLE, "custom": custom}
    return LEVEL_UP | {"data": data} | changes


def make_round(id: str, **message: Any) -> dict[str, Any]:
    """What start and settle share, without their players."""
    shared = {
        "mg_id": BIG_ID,
        "room_id": "xxx123",
        "game_mode": 1,
        "game_round_id": id,
        "battle_start_at": 1638845715,
        "report_game_info_extras": "custom param",
    }
    return {
        "report_msg": shared | message,
        "uid": "u1",
        "ss_token": "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb",
    }


def make_start(id: str = "round-1", **message: Any) -> dict[str, Any]:
    """Of u1, u2 and a robot."""
    humans = [{"uid": "u1", "is_ai": 0}, {"uid": "u2", "is_ai": 0}]
    return make_round(id, **{"players": [*humans, {"uid": "", "is_ai": 1}]} | message)


def make_result(uid: str, rank: int, **more: Any) -> dict[str, Any]:
    """A robot's, if its uid is empty."""
    return {"uid": uid, "rank": rank, "is_escaped": 0, "is_ai": int(not uid)} | more


def make_settle(id: str = "round-1", **message: Any) -> dict[str, Any]:
    """u2 won before u1 and a robot."""
    results = [make_result("u2", 1, score=9, is_win=2), make_result("u1", 2), make_result("", 3)]
    ends = {"battle_end_at": 1638845720, "battle_duration": 5, "results": results}
    return make_round(id, **ends | message)


class GameServer:
    """Speaks to a Guerdon that runs in this process, through its web."""

    def __init__(self, guerdon: Guerdon) -> None:
        self.guerdon = guerdon
        self._client = create_app(guerdon).test_client()

    def post_raw(self, type: str, body: Any, wait: int = 0) -> Any:
        """The response to an event; its reports get `wait` seconds to be sent at once."""
        headers = {"Authorization": f"Bearer {API_KEY}", "Prefer": f"wait={wait}"}
        kind = "data" if isinstance(body, bytes | str) else "json"
        return self._client.post(f"/v1/events/{type}", headers=headers, **{kind: body})

    def post(self, type: str, body: Any, wait: int = 0) -> Any:
        """The JSON of the answer to an event that is taken."""
        response = self.post_raw(type, body, wait)
        assert response.status_code in (200, 202), response.text
        return response.get_json()

    def show_report(self, id: int = 1) -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        response = self._client.get(f"/v1/reports/{id}", headers=headers)
        assert response.status_code == 200, response.text
        return response.get_json()

    def read_reports(self) -> list[Any]:
        """The rows of all reports, in order."""
        with self.guerdon.database.connection_context():
            return list(Report.select().order_by(Report.id))

    def send_due(self) -> Any:
        """Send each report that is due, once; the row of the first."""
        outbox = self.guerdon.outbox
        try:
            outbox.wait_for([row.id for row in self.read_reports()], 1.0)
        finally:
            self.guerdon.database.close()
        wait_until(
            lambda: not outbox.under_way.count(), pause=0.001
        )  # it is recorded a little earlier
        return self.read_reports()[0]
