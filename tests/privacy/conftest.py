"""A studio with everything that can name a player, and what it looks like before and after."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from app.counting.boards import count_board
from app.database.models import OwnPlayer, Report
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Delivery, Event, Outcome, OutcomeState
from app.testing.deliveries import AUTHORIZED, make_client
from app.testing.players import add_player
from app.testing.reports import send_reports
from app.web import examples
from plugins.promo_codes import PromoCode
from tests.world.books import serve_once

NAME, ALIKE = "Zaphod_B77", "Zaphod_B777"
DAY = 86_400_000
RULES = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "10.00" },
  { reward = "claim", payload = { command = "give {nickname} gold 3", to = "{nickname}" } },
]

[[rules]]
name = "every 3rd"
on = "server.vote"
where = { rank = 1 }
count = { every = 3 }
limit = { all = "100 per month", player = "5 per week" }
give = [{ reward = "item", item = "gold" }]

[[rules]]
name = "row"
on = "server.vote"
streak = { every = 2 }
give = [{ reward = "role", role = "member", days = 30 }]

[[rules]]
name = "party"
on = "server.vote"
party = { every = 4 }
give = [{ reward = "gold", amount = "100.00" }]

[[rules]]
name = "levels"
on = "level_up"
give = [{ reward = "promo_code", pool = "levels" }]

[[rules]]
name = "rounds"
on = "game_settle"
where = { rank = 1 }
give = [{ reward = "vip", days = 1 }]
"""
REPORTERS = """
[plugins.webhook]
url = "{platform}/told"
secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"
"""


class Scene(NamedTuple):
    """What must be the same before and after."""

    gold: list[str]
    events: int
    grants: list[tuple[str, str, int]]
    board: list[int]
    uses: list[Any]


def read_scene(guerdon: Guerdon) -> Scene:
    def ask(sql: str) -> list[Any]:
        return list(guerdon.database.execute_sql(sql).fetchall())

    with guerdon.database.connection_context():
        return Scene(
            sorted(str(row.gold) for row in OwnPlayer.select()),
            ask("SELECT COUNT(*) FROM guerdon_events")[0][0],
            sorted(ask("SELECT rule, kind, COUNT(*) FROM guerdon_grants GROUP BY rule, kind")),
            sorted(number for _, number in count_board(guerdon.database, 0, None, None, 100)),
            sorted(ask("SELECT owner, period, used FROM guerdon_limits")),
        )


def vote(guerdon: Guerdon, id: str, nickname: str, at: int, **data: Any) -> Outcome:
    said = {"rank": 1, "nickname": nickname, "ip": "203.0.113.9", **data}
    event = Event("gamemonitoring", "server.vote", id, "1", nickname, f"u-{nickname}", at, said)
    [outcome] = guerdon.settler.settle([Work([event])])
    return outcome


@pytest.fixture
def full(open_service: Callable[..., Guerdon], platform: Any, clock: Any) -> Guerdon:
    """Bob's studio: three players, each with votes, levels, rounds, claims and reports; all is settled."""
    guerdon = open_service(rewards=RULES, more=REPORTERS.replace("{platform}", platform.url))
    fill(guerdon, clock())
    return guerdon


def fill(guerdon: Guerdon, now: int) -> None:
    names = (NAME, ALIKE, "gold")
    for one in names:
        add_player(guerdon, one)
    with guerdon.database.connection_context():
        rows = [{"pool": "levels", "code": f"code-{number}"} for number in range(20)]
        PromoCode.insert_many(rows).execute()
    for day in range(4):
        for one in names:
            vote(guerdon, f"v{day}-{names.index(one)}", one, now - (9 - day) * DAY)
    vote(guerdon, f"vote-of-{NAME}", NAME, now - DAY, note=f"{NAME.upper()} was here")
    client = make_client(guerdon)
    for one in names:
        level = {**examples.LEVEL_UP, "uid": one, "timestamp": now - DAY}
        assert post(client, "level_up", level).status_code < 300
    results = [{"uid": one, "rank": rank, "is_escaped": 0, "is_ai": 0, "nick_name": one, "result": "gold"}
               for rank, one in enumerate(names, 1)]  # fmt: skip
    message = {**examples.GAME_SETTLE["report_msg"], "results": results}
    body = {**examples.GAME_SETTLE, "uid": NAME, "report_msg": message}
    assert post(client, "game_settle", body).status_code < 300
    park(guerdon, "dead-1", ALIKE, f'"{ALIKE}" could be mistaken for the player "{NAME}"')
    park(guerdon, "dead-2", "gold", 'no promo code is left in the pool "gold"')
    park(guerdon, "dead-3", NAME, f'no player is called "{NAME}"')
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "UPDATE guerdon_inbox SET state = 'dead' WHERE event_id LIKE 'dead-%%'"
            if guerdon.database.family == "mysql"
            else "UPDATE guerdon_inbox SET state = 'dead' WHERE event_id LIKE 'dead-%'"
        )
        guerdon.database.execute_sql("UPDATE guerdon_claims SET state = 'done'")
    serve_once(guerdon)
    with guerdon.database.connection_context():
        open_ones = Report.select().where(Report.state == "ready")
    while open_ones.count():
        send_reports(guerdon)


def post(client: Any, type: str, body: Any) -> Any:
    headers = {**AUTHORIZED, "Prefer": "wait=0"}
    return client.post(f"/v1/events/{type}", json=body, headers=headers)


def park(guerdon: Guerdon, id: str, nickname: str, reason: str) -> None:
    delivery = Delivery("vote_sites", "server.vote", id, data={"nickname": nickname, "time": 1})
    guerdon.inbox.keep(delivery, Outcome(OutcomeState.WAITING, reason))
