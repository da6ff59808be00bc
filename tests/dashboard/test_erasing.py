"""A player's data on his page: handed out, and erased after a plan, by who may act, as his act."""

import json
from typing import Any

import pytest

from app.database.models import OwnPlayer
from app.guerdon import Guerdon
from app.testing.clock import Clock
from app.testing.waiting import wait_until
from tests.dashboard.ledgers import Ledger, write_small
from tests.dashboard.test_access import send, sign_in
from tests.world.running_dashboards import USERS
from tests.world.traces import list_traces

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
PAGE = "/player/erase?name=Bob"
FORM = {"name": "Bob", "typed": "Bob", "cancel": "1"}


@pytest.fixture
def ledger(guerdon: Guerdon) -> Ledger:
    return write_small(guerdon)


def plan(client: Any, name: str = "Bob", text: str = "The plan") -> None:
    assert send(client, PAGE, "/player/erase/plan", {"name": name}).status_code == 303
    wait_until(lambda: text in client.get(f"/player/erase?name={name}").text)


def list_acts(guerdon: Guerdon) -> list[Any]:
    """What was done to a player, the latest first; the ledger has other acts."""
    kinds = ("erase player", "export player")
    return [one for one in guerdon.acts.list_acts().rows if one.what in kinds]


def test_it_works(client: Any, guerdon: Guerdon, ledger: Ledger) -> None:
    """Exported, planned, the name typed, erased; nothing of it but the two acts, without a name."""
    sign_in(client)
    assert "Erase …" in client.get("/player?name=Bob").text
    answer = send(client, "/player?name=Bob", "/player/export", {"name": "Bob"})
    told = json.loads(answer.text)
    assert (len(told["events"]), told["player"]["nickname"]) == (60, "Bob")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    assert guerdon.acts.list_acts().rows[0].about == "player:Bob"

    plan(client)
    assert "server.vote v101 waits to be paid" in client.get(PAGE).text
    assert send(client, PAGE, "/player/erase", FORM).status_code == 303
    wait_until(lambda: "<strong>Erased.</strong>" in client.get(PAGE).text)

    assert list_traces(guerdon, "Bob", "Robert") == []
    erased, exported = list_acts(guerdon)
    pseudonym = guerdon.database.read(lambda: OwnPlayer.select().first().nickname)
    assert (erased.what, erased.person, erased.about) == ("erase player", "anna", pseudonym)
    assert erased.is_over
    assert erased.done > 120
    assert (exported.what, exported.about) == ("export player", f"player:{pseudonym}")


@pytest.mark.parametrize("typed", ["", "bob", "Bob "])
def test_nothing_is_erased_unless_the_name_is_typed(
    client: Any, guerdon: Guerdon, ledger: Ledger, typed: str
) -> None:
    sign_in(client)
    plan(client)

    answer = send(client, PAGE, "/player/erase", {**FORM, "typed": typed})

    assert answer.status_code == 409
    assert list_acts(guerdon) == []


def test_nothing_is_erased_without_a_plan_of_now_nor_while_work_is_open(
    client: Any, guerdon: Guerdon, ledger: Ledger, clock: Clock
) -> None:
    sign_in(client)
    assert "There is no plan of the last minutes" in send(client, PAGE, "/player/erase", FORM).text
    plan(client)
    answer = send(client, PAGE, "/player/erase", {"name": "Bob", "typed": "Bob"})
    assert (answer.status_code, "is under way" in answer.text) == (409, True)
    clock.advance(901)
    assert "There is no plan of the last minutes" in send(client, PAGE, "/player/erase", FORM).text

    assert list_acts(guerdon) == []
    assert len(list_traces(guerdon, "Bob", "Robert")) > 60


def test_of_nobody_there_is_nothing(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)

    answer = send(client, "/", "/player/export", {"name": "Nobody"})

    assert (answer.status_code, "nothing is kept of anybody" in answer.text) == (409, True)
    plan(client, "Nobody", "nothing is kept of anybody called")
    assert list_acts(guerdon) == []


def test_who_may_only_look_gets_and_erases_nothing(
    client: Any, guerdon: Guerdon, ledger: Ledger
) -> None:
    sign_in(client, "luke")
    assert "/player/export" not in client.get("/player?name=Bob").text
    assert "/player/erase/plan" not in client.get(PAGE).text

    for path in ("/player/export", "/player/erase/plan", "/player/erase"):
        assert send(client, "/", path, FORM).status_code == 403

    assert list_acts(guerdon) == []
