"""The claim queue: rewards that a game server fetches, each until it is acknowledged."""

from collections.abc import Callable
from typing import Any

import pytest

from app import create_app
from app.guerdon import Guerdon
from app.hookspecs import Event
from app.models import Claim
from app.settling import Work
from plugins.claim_queue import fill_template
from tests.sending import API_KEY, get_v1, post_vote

Open = Callable[..., Guerdon]
REWARDS = """
[[rules]]
on = "server.vote"
give = [
  { reward = "claim", payload = { command = "give {nickname} diamond 1", n = 2, to = ["{server_id}"] } },
  { reward = "gold", amount = "1.00" },
]
"""


@pytest.fixture
def post(open_service: Open) -> Callable[..., Any]:
    guerdon = open_service(REWARDS)
    client = create_app(guerdon).test_client()

    def post(path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return client.post(f"/v1/claims/{path}", json=body, headers=headers)

    post.guerdon = guerdon  # type: ignore[attr-defined]
    return post


def test_it_works(post: Any, clock: Any) -> None:
    for id in ("v1", "v1", "v2"):
        assert post_vote(post.guerdon, id).status_code == 204

    leased = post("lease", server_id="1", limit=10, seconds=30).get_json()

    payload = {"command": "give Bob diamond 1", "n": 2, "to": ["1"]}
    assert [claim["payload"] for claim in leased["claims"]] == [payload, payload]
    first = leased["claims"][0]
    assert (first["nickname"], first["server_id"]) == ("Bob", "1")
    assert first["event"] == {"type": "server.vote", "id": "v1"}
    grant = get_v1(post.guerdon, "/events/server.vote/v1")["grants"][0]
    assert grant["receipt"] == {"payload": payload}

    assert post(f"{first['id']}/ack").get_json() == {"id": first["id"], "state": "done"}
    assert post("lease", server_id="1").get_json()["claims"] == []
    clock.advance(31)
    again = post("lease", server_id="1").get_json()["claims"]
    assert [claim["event"]["id"] for claim in again] == ["v2"]


def test_a_claim_is_leased_to_its_own_server_only(post: Any, vote_api: Any) -> None:
    vote_api.server_id = 2
    post_vote(post.guerdon, "v1")

    assert post("lease", server_id="1").get_json()["claims"] == []
    assert len(post("lease", server_id="2").get_json()["claims"]) == 1


def test_a_vote_that_is_not_paid_queues_nothing(post: Any) -> None:
    with post.guerdon.database.connection_context():
        post.guerdon.database.execute_sql("ALTER TABLE players RENAME COLUMN gold TO silver")

    [outcome] = post.guerdon.deliveries._settler.settle(
        [Work([Event("gamemonitoring", "server.vote", "v1", "1", "Bob")])]
    )

    assert outcome.state == "waiting"
    with post.guerdon.database.connection_context():
        assert Claim.select().count() == 0


VALUES = {"nickname": "{server_id}", "server_id": "1", "event_id": "v"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("give {nickname} 1", "give {server_id} 1"),  # a nickname is no template
        ("{nickname}{server_id}{event_id}", "{server_id}1v"),
        ("{nickname} {nickname}", "{server_id} {server_id}"),
        ("{other} {} {{nickname}}", "{other} {} {{server_id}}"),
        ({"{nickname}": ["{event_id}", {"a": "{server_id}"}, 5, None]},
         {"{nickname}": ["v", {"a": "1"}, 5, None]}),
    ],
)  # fmt: skip
def test_placeholders_are_filled_once(template: Any, filled: Any) -> None:
    assert fill_template(template, lambda name, is_alone: VALUES[name]) == filled
