"""The pages of alarms and of the doctor: what is so, and never a page that hangs."""

import threading
from typing import Any

import pytest

from app.database.models import Report
from app.database.watching_models import AlarmRow
from app.guerdon import Guerdon
from app.testing.clock import Clock
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import PATIENCE, wait_until
from tests.dashboard.ledgers import write_small
from tests.dashboard.test_access import sign_in
from tests.dashboard.test_languages import IN_CHINESE, SENTENCE, Words
from tests.world.running_dashboards import USERS

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]


def test_it_works(client: Any, guerdon: Guerdon, clock: Clock) -> None:
    """Nobody judges; then somebody does, and all is well; then something fires, and seems over."""
    sign_in(client)
    assert "Nobody judges whether something is wrong." in client.get("/alarms").text
    guerdon.alarms.look()
    assert "Nothing is wrong." in client.get("/alarms").text

    write_small(guerdon)
    with guerdon.database.connection_context():
        Report.update(key="GuerdonReportsDied/1/0/a/b").where(Report.kind == "alert").execute()
    page = client.get("/alarms").text
    assert "2 alarms have fired." in page
    assert "no player is called" in page
    assert "firing" in page
    assert "seems over" in page
    assert ">a/b<" in page

    with guerdon.database.connection_context():
        AlarmRow.delete().execute()
    clock.advance(91)
    assert "Nobody judges whether something is wrong." in client.get("/alarms").text


def test_what_hangs_does_not_hang_the_page(
    client: Any, guerdon: Guerdon, vote_api: VoteApi, clock: Clock
) -> None:
    """It is looked at once for all who look, and what was found before is shown meanwhile."""
    began, go_on, asked = threading.Event(), threading.Event(), []

    def hang(handler: Any) -> None:
        asked.append(handler.path)
        began.set()
        assert go_on.wait(PATIENCE)
        answer(handler, 200, {})

    def read(**headers: str) -> str:
        return str(client.get("/doctor", headers=headers).text)

    vote_api.behave = hang
    sign_in(client)
    assert "It is being looked at." in read()
    assert began.wait(PATIENCE)
    assert "It is being looked at." in read()
    assert len(asked) == 1
    go_on.set()
    wait_until(lambda: "host of gamemonitoring" in read(Part="live"))
    page = read()
    assert "What to do:" in page
    assert "a signed test delivery is believed, a forged one is not" in page
    in_english = [
        text for text in Words(read(**IN_CHINESE)).said if SENTENCE.search(text) and text.isascii()
    ]
    assert [text for text in in_english if not text.startswith("SQLite ")] == []
    assert page.index(">warning<") < page.index(">well<")

    began.clear()
    go_on.clear()
    clock.advance(61)
    assert "It is being looked at." not in read(Part="live"), (
        "who only asks for news has nothing done"
    )
    assert len(asked) == 1
    page = read()
    assert began.wait(PATIENCE)
    assert "It is being looked at." in page
    assert "host of gamemonitoring" in page
    go_on.set()
