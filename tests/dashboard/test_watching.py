"""The pages of alarms and of the doctor: what is so, and never a page that hangs."""

import threading
from typing import Any

import pytest

from app.dashboard.screens import doctor
from app.database.models import Report
from app.database.watching_models import AlarmRow
from app.doctor.findings import Finding, fail, say_ok
from app.guerdon import Guerdon
from app.testing.clock import Clock
from app.testing.waiting import wait_until
from tests.dashboard.ledgers import write_small
from tests.dashboard.test_access import sign_in
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
    assert "there is no player" in page
    assert "firing" in page
    assert "seems over" in page
    assert ">a/b<" in page

    with guerdon.database.connection_context():
        AlarmRow.delete().execute()
    clock.advance(91)
    assert "Nobody judges whether something is wrong." in client.get("/alarms").text


def test_what_hangs_does_not_hang_the_page(
    client: Any, guerdon: Guerdon, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at once for all who look, and what was found before is shown meanwhile."""
    began, go_on, looks = threading.Event(), threading.Event(), []

    def examine(guerdon: Guerdon) -> list[Finding]:
        looks.append(1)
        began.set()
        assert go_on.wait(30)
        return [say_ok("clock", "is right"), fail("room", "is <none>", "buy some")]

    monkeypatch.setattr(doctor, "list_findings", examine)
    sign_in(client)
    assert "It is being looked at." in client.get("/doctor").text
    assert "It is being looked at." in client.get("/doctor").text
    assert began.wait(30)
    go_on.set()
    wait_until(lambda: "1 fault" in client.get("/doctor", headers={"Part": "live"}).text)
    page = client.get("/doctor").text

    assert len(looks) == 1
    assert "is &lt;none&gt;" in page
    assert page.index("buy some") < page.index("is right")
    go_on.clear()
    clock.advance(61)
    assert "1 fault" in client.get("/doctor", headers={"Part": "live"}).text
    assert len(looks) == 1, "a page that only asks for what changed has nothing looked at"
    page = client.get("/doctor").text
    assert "It is being looked at." in page
    assert "buy some" in page
    go_on.set()
    wait_until(lambda: len(looks) == 2)
