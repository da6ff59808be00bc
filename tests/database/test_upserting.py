"""Rows that are inserted or added to, in each database's own words for it."""

from collections.abc import Callable

import pytest

from app import create_app
from app.database.upserting import ROWS_AT_ONCE, upsert_rows
from app.guerdon import Guerdon
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, make_delivery
from app.testing.platforms import Platform
from plugins.items import Item
from tests.world.crowd import REPORTING, make_level_up

EVERYTHING = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "1.00" },
  { reward = "item", item = "sword", quantity = 1 },
  { reward = "role", role = "voter", days = 7 },
  { reward = "vip", days = 1 },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
[[rules]]
name = "every level"
on = "level_up"
give = [{ reward = "gold", amount = "0.50" }]
"""
VALUES_IS_DEPRECATED = 1287
MORE = {"quantity": "{old} + {new}"}


def upsert(guerdon: Guerdon, quantities: dict[str, int]) -> None:
    rows = [
        {"player_id": "1", "name": name, "quantity": quantity}
        for name, quantity in quantities.items()
    ]
    key = ("player_id", "name")
    guerdon.database.transact(lambda is_retry: upsert_rows(guerdon.database, Item, key, rows, MORE))


def read(guerdon: Guerdon) -> dict[str, int]:
    with guerdon.database.connection_context():
        return {item.name: item.quantity for item in Item.select()}


def test_it_works(guerdon: Guerdon) -> None:
    upsert(guerdon, {"shield": 1, "sword": 2})
    upsert(guerdon, {"bow": 4, "sword": 3})

    assert read(guerdon) == {"bow": 4, "shield": 1, "sword": 5}


def test_more_rows_than_a_statement_takes(guerdon: Guerdon) -> None:
    many = {f"item {number}": number + 1 for number in range(2 * ROWS_AT_ONCE + 3)}

    for _ in range(2):
        upsert(guerdon, many)

    assert read(guerdon) == {name: 2 * quantity for name, quantity in many.items()}


def count_raised(server: DatabaseServer, number: int) -> int:
    """How often the server has raised an error or a warning since it was started."""
    sql = (
        "SELECT sum_error_raised FROM performance_schema.events_errors_summary_global_by_error"
        " WHERE error_number = %s"
    )
    ((count,),) = server.run(sql, (number,))
    return int(count)


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_nothing_that_is_paid_or_reported_twice_uses_words_that_mysql_will_drop(
    open_service: Callable[..., Guerdon], platform: Platform, database_server: DatabaseServer
) -> None:
    before = count_raised(database_server, VALUES_IS_DEPRECATED)
    reporting = REPORTING.replace("{platform}", platform.url).replace("{delays}", "1")
    client = create_app(open_service(EVERYTHING, reporting)).test_client()

    for number in (1, 2):
        vote = client.post("/webhooks/gamemonitoring", data=make_delivery(f"v{number}"))
        assert vote.status_code == 204
        headers = {"Authorization": f"Bearer {API_KEY}", "Prefer": "wait=20"}
        level = client.post(
            "/v1/events/level_up", json=make_level_up("Bob", number), headers=headers
        )
        assert [report["state"] for report in level.json["reports"]] == ["delivered"]

    shown = client.get("/v1/players/Bob", headers=headers).json
    assert (shown["gold"], shown["items"]) == ("3.00", {"sword": 2})
    assert count_raised(database_server, VALUES_IS_DEPRECATED) == before
