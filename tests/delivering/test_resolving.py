"""A person decides about claims of which nobody else knows; who it was is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.database.act_models import Act
from app.database.models import Claim
from app.delivering.resolving import OPEN, Verdict, list_claims, resolve_claim
from app.guerdon import Guerdon
from app.porch.claims import ClaimState
from app.porch.errors import GuerdonError

STATES = [state.value for state in ClaimState]


def put(guerdon: Guerdon, state: str, **more: Any) -> int:
    usual = {
        "server_id": "1", "player_id": "1", "nickname": "Bob", "event_type": "server.vote",
        "event_id": "v1", "payload": '{"command": "give Bob diamond 1"}', "state": state,
        "lease_token": "t", "lease_until": 0, "takes": 1, "created_at": guerdon.now(), "sends": 1,
    }  # fmt: skip
    with guerdon.database.connection_context():
        return int(Claim.insert(**usual | more).execute())


def read(guerdon: Guerdon, id: int) -> Any:
    with guerdon.database.connection_context():
        return Claim.get_by_id(id)


def decide(guerdon: Guerdon, id: int, verdict: Verdict) -> None:
    resolve_claim(guerdon.database, id, verdict, "anna", guerdon.now())


def test_it_works(guerdon: Guerdon) -> None:
    given, again = (put(guerdon, "unknown") for _ in range(2))
    decide(guerdon, given, Verdict.GIVEN)
    decide(guerdon, again, Verdict.AGAIN)

    assert read(guerdon, given).state == "done"
    assert read(guerdon, given).done_at == guerdon.now()
    row = read(guerdon, again)
    assert (row.state, row.takes, row.lease_token, row.retry_at) == ("ready", 0, "", 0)
    with guerdon.database.connection_context():
        acts = [(one.person, one.what, one.about) for one in Act.select().order_by(Act.id)]
    assert acts == [
        ("anna", "claim given", f"claim {given}"), ("anna", "claim again", f"claim {again}"),
    ]  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_only_what_nobody_is_at_can_be_decided(guerdon: Guerdon, state: str) -> None:
    id = put(guerdon, state, lease_until=guerdon.now() + 60_000)
    if state in ("unknown", "refused", "waits"):
        decide(guerdon, id, Verdict.AGAIN)
        assert read(guerdon, id).state == "ready"
        return
    with pytest.raises(GuerdonError, match=f"is {state}"):
        decide(guerdon, id, Verdict.AGAIN)
    assert read(guerdon, id).state == state


def test_what_was_being_sent_can_be_decided_once_its_lease_is_over(
    guerdon: Guerdon, clock: Any
) -> None:
    id = put(guerdon, "sending", lease_until=guerdon.now() + 1000)
    clock.advance(2)
    decide(guerdon, id, Verdict.GIVEN)
    assert read(guerdon, id).state == "done"


def test_there_may_be_no_such_claim(guerdon: Guerdon) -> None:
    with pytest.raises(GuerdonError, match="there is no claim 7"):
        decide(guerdon, 7, Verdict.GIVEN)


def test_all_that_is_open_is_listed_page_by_page(guerdon: Guerdon) -> None:
    ids = {state: [put(guerdon, state) for _ in range(2)] for state in STATES}
    database, now = guerdon.database, guerdon.now()
    for state in STATES:
        page = list_claims(database, [ClaimState(state)], now)
        assert [one.id for one in page.rows] == ids[state][::-1]
    first = list_claims(database, OPEN, now, limit=5)
    rest = list_claims(database, OPEN, now, first.next, limit=50)
    listed = [one.id for one in (*first.rows, *rest.rows)]
    wanted = [id for state in OPEN for id in ids[state]]
    assert listed == sorted(wanted, reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_typed(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch, write_config: Callable[..., Any]
) -> None:
    id = put(guerdon, "unknown", last_error="no answer\x1b[31m", answer="what?")
    monkeypatch.setenv("GUERDON_CONFIG", str(guerdon.config.path))

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["claims", *words])

    said = run("list", "--state", "unknown").output
    assert "give Bob diamond 1" in said
    assert "no answer\\x1b[31m" in said
    [told] = json.loads(run("list", "--json").output)["claims"]
    assert (told["id"], told["state"], told["can_decide"]) == (id, "unknown", True)
    assert run("resolve", str(id), "given", "--by", "anna").output == f"claim {id} is done\n"
    again = run("resolve", str(id), "given")
    assert again.exit_code == 1
    assert "there is nothing to decide" in again.output
    assert run("resolve", str(id), "perhaps").exit_code == 2
