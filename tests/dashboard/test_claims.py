"""The page of claims: who may act decides, who may look sees, and who it was is kept."""

from typing import Any

import pytest

from app.database.act_models import Act
from app.database.models import Claim
from app.guerdon import Guerdon
from tests.dashboard.ledgers import write_small
from tests.dashboard.test_access import send, sign_in
from tests.world.running_dashboards import USERS

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
ACT = "/claims/resolve"


@pytest.fixture
def claim(guerdon: Guerdon) -> Any:
    write_small(guerdon)
    return read(guerdon)


def read(guerdon: Guerdon, id: int | None = None) -> Any:
    with guerdon.database.connection_context():
        return Claim.get(Claim.state == "unknown") if id is None else Claim.get_by_id(id)


@pytest.mark.parametrize(("verdict", "state"), [("given", "done"), ("again", "ready")])
def test_it_works(client: Any, guerdon: Guerdon, claim: Any, verdict: str, state: str) -> None:
    sign_in(client)
    assert ACT in client.get("/claims").text
    answer = send(client, "/claims", ACT, {"id": str(claim.id), "verdict": verdict})

    assert "It is decided" in client.get(answer.location).text
    assert read(guerdon, claim.id).state == state
    with guerdon.database.connection_context():
        act = Act.select().order_by(Act.id.desc()).get()
    assert (act.person, act.what, act.about) == ("anna", f"claim {verdict}", f"claim {claim.id}")
    again = send(client, "/claims", ACT, {"id": str(claim.id), "verdict": verdict})
    assert again.status_code == 409


def test_who_may_only_look_sees_and_decides_nothing(
    client: Any, guerdon: Guerdon, claim: Any
) -> None:
    sign_in(client, "luke")
    shown = client.get("/claims").text
    assert "no player is called" in shown
    assert ACT not in shown

    answer = send(client, "/", ACT, {"id": str(claim.id), "verdict": "given"})
    assert answer.status_code == 403
    assert read(guerdon, claim.id).state == "unknown"


@pytest.mark.parametrize(
    "fields", [{"id": "x", "verdict": "given"}, {"id": "1", "verdict": "perhaps"}, {}]
)
def test_what_is_no_decision_is_refused(client: Any, claim: Any, fields: dict[str, str]) -> None:
    sign_in(client)
    assert send(client, "/", ACT, fields).status_code == 404
    assert client.get("/claims?state=done").status_code == 404
