"""The claim queue: rewards that a game server fetches, each until it is acknowledged."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import create_app
from app.database.models import Claim
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import NotReady
from app.porch.json import dump_json
from app.porch.text import shorten
from app.porch.types import Event
from app.testing.deliveries import API_KEY, get_v1, post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from plugins.claim_queue import ID, choose_filling, fill_template

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

    [outcome] = post.guerdon.settler.settle(
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


# What a stranger chose, within a longer text.


def rules_of(payload: str) -> str:
    return f'[[rules]]\non = "server.vote"\ngive = [{{ reward = "claim", payload = {payload} }}]'


def read_payloads(guerdon: Guerdon) -> list[str]:
    with guerdon.database.connection_context():
        return [row.payload for row in Claim.select().order_by(Claim.id)]


HOSTILE = [
    "Bob netherite_block 64",
    "@a",
    "Bob 0\nop Mallory",
    "Bob;op",
    "Bob/op",
    "'Bob'",
    "x" * 49,
]


@pytest.mark.parametrize("name", [*HOSTILE, "Zoë", ""])
def test_a_nickname_of_more_than_one_word_is_never_a_part_of_a_command(
    open_service: Open, name: str
) -> None:
    """Also where the game's own table holds it."""
    guerdon = open_service(rules_of('{ command = "give {nickname} diamond 1" }'))
    add_player(guerdon, name)
    find = Event("gamemonitoring", "server.vote", "v1", "1", user_id=name)

    [outcome] = guerdon.settler.settle([Work([find])])

    assert outcome.state == "waiting"
    assert read_payloads(guerdon) == []
    if name.isprintable() and name:
        assert outcome.reason == (
            f"the nickname {shorten(name)} may not stand within a longer text of a claim:"
            " [plugins.claim_queue] inside does not match it"
        )


@pytest.mark.parametrize(
    "name", ["Bob netherite_block 64", "@a", "Zoë 😀", "Bob{event_id}", "x" * 200]
)
def test_a_placeholder_alone_takes_any_allowed_name(
    open_service: Open, vote_api: Any, name: str
) -> None:
    guerdon = open_service(rules_of('{ to = "{nickname}", all = ["{nickname}"] }'))
    add_player(guerdon, name)
    vote_api.nickname = lambda id: name

    assert post_vote(guerdon, "v1").status_code == 204

    told = json.loads(read_payloads(guerdon)[0])
    assert told == {"to": name, "all": [name]}


@pytest.mark.parametrize("name", ["Bob\x1b[2J", "\u202eBob", "Bo\u200bb", "Bob\n."])
def test_a_name_that_nobody_may_have_makes_no_claim_whoever_has_it(
    open_service: Open, name: str
) -> None:
    guerdon = open_service(rules_of('{ give = "diamond" }'))
    add_player(guerdon, name)
    event = Event("gamemonitoring", "server.vote", "v1", "1", user_id=name)

    [outcome] = guerdon.settler.settle([Work([event])])

    assert (outcome.state, read_payloads(guerdon)) == ("waiting", [])
    assert outcome.reason.startswith(f"{shorten(name)} is no nickname: it holds")


@pytest.mark.parametrize(
    ("template", "server", "id", "is_paid"),
    [
        ("{server_id}", "s 7", "v1", True),
        ("on {server_id}", "s7", "v1", True),
        ("on {server_id}", "s 7", "v1", False),
        ("on {server_id}", "s\n7", "v1", False),
        ("{server_id}", "s\u202e7", "v1", False),
        ("{event_id}", "1", "a b", True),
        ("{event_id}", "1", "a\x1bb", False),
        ("for {event_id}", "1", "uid:s73:10%3A", True),
        ("for {event_id}", "1", "a b", False),
        ("for {event_id}", "1", "@e", False),
        ("{server_id}{event_id}", "1", "v1", True),
        ("{server_id}{event_id}", "1", '"', False),
    ],
)
def test_ids_are_a_strangers_words_too(
    open_service: Open, template: str, server: str, id: str, is_paid: bool
) -> None:
    guerdon = open_service(rules_of(f'{{ told = "{template}" }}'))
    event = Event("gamemonitoring", "server.vote", id, server, "Bob")

    [outcome] = guerdon.settler.settle([Work([event])])

    assert outcome.state == ("settled" if is_paid else "waiting")
    filled = template.replace("{server_id}", server).replace("{event_id}", id)
    assert read_payloads(guerdon) == ([dump_json({"told": filled})] if is_paid else [])
    assert outcome.reason.isprintable()


def test_inside_is_the_studios_to_say_and_must_match_whole(open_service: Open) -> None:
    inside = ALL_PLUGINS.replace(
        "[plugins.claim_queue]", "[plugins.claim_queue]\ninside = '[a-zë ]+'"
    )
    guerdon = open_service(rules_of('{ command = "give {nickname}" }'), plugins=inside)
    for name in ("zoë x", "zoë X"):
        add_player(guerdon, name)
    events = [
        Event("gamemonitoring", "server.vote", f"v{place}", "1", name)
        for place, name in enumerate(("zoë x", "zoë X", "Bob"))
    ]

    outcomes = guerdon.settler.settle([Work([event]) for event in events])

    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "waiting"]
    assert read_payloads(guerdon) == ['{"command":"give zoë x"}']


def test_spaces_around_a_nickname_in_a_table_are_no_part_of_a_claim(open_service: Open) -> None:
    guerdon = open_service(rules_of('{ command = "give {nickname} 1", to = "{nickname}" }'))
    add_player(guerdon, " Eve  ")
    event = Event("gamemonitoring", "server.vote", "v1", "1", user_id=" Eve  ")

    assert guerdon.settler.settle([Work([event])])[0].state == "settled"
    assert read_payloads(guerdon) == ['{"command":"give Eve 1","to":"Eve"}']


TEMPLATES = st.lists(
    st.sampled_from(["a", " ", "{", "}", "{nickname}", "{server_id}", "{event_id}", '"']),
    max_size=6,
).map("".join)
WORDS = st.text(st.sampled_from("aB1_.-: \n\x1b@/{}'\"éＢ") | st.characters(), max_size=8)


@given(template=TEMPLATES, nickname=WORDS, server_id=WORDS, event_id=WORDS)
@settings(max_examples=1000, deadline=None, database=None)
def test_whatever_comes_a_text_keeps_the_words_of_its_template(
    template: str, nickname: str, server_id: str, event_id: str
) -> None:
    values = {"nickname": nickname, "server_id": server_id, "event_id": event_id}
    allowed = {"nickname": re.compile("[A-Za-z0-9_.-]{1,48}"), "server_id": ID, "event_id": ID}

    def fill(name: str, is_alone: bool) -> str:
        return choose_filling(name, values[name], None if is_alone else allowed[name])

    try:
        filled = fill_template(template, fill)
    except NotReady:
        return
    if template in ("{nickname}", "{server_id}", "{event_id}"):
        assert filled == values[template[1:-1]]
        return
    plain = fill_template(template, lambda name, is_alone: "x")
    assert re.sub(r"[A-Za-z0-9_.:%-]+", "x", filled).split(" ") == (
        re.sub(r"[A-Za-z0-9_.:%-]+", "x", plain).split(" ")
    )
