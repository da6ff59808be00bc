"""Keys of /v1: long enough, named, and each opens what its scopes say."""

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.config.api_keys import SCOPES, find_scopes
from app.config.reading import read_config
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.testing.deliveries import API_KEY, get_v1, post_vote
from tests.world.game_server import make_level_up

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Write = Callable[..., Path]


def set_keys(path: Path, keys: str) -> Path:
    """Give a config other keys."""
    path.write_text(path.read_text().replace(f'keys = ["{API_KEY}"]', f"keys = {keys}"))
    return path


def bear(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_it_works(
    write_config: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("LOBBY", "the-key-of-the-lobby")
    (tmp_path / "arena").write_text("the-key-of-the-arena\n")
    path = set_keys(write_config(), f"""[
        "sixteen letters!",
        {{ name = "lobby", key = {{ env = "LOBBY" }}, scopes = ["events", "read"] }},
        {{ key = {{ file = "{tmp_path}/arena", name = "arena" }}, scopes = ["claims"] }},
        {{ name = "all", key = "a-key-for-everything" }},
        {{ env = "LOBBY_TOO", default = "another-key-of-lobby", name = "old" }},
    ]""")  # fmt: skip

    config, faults = read_config(path)

    assert faults == []
    assert [(key.reveal(), key.name, sorted(key.scopes)) for key in config.api.keys] == [
        ("sixteen letters!", "key 1", sorted(SCOPES)),
        ("the-key-of-the-lobby", "lobby", ["events", "read"]),
        ("the-key-of-the-arena", "arena", ["claims"]),
        ("a-key-for-everything", "all", sorted(SCOPES)),
        ("another-key-of-lobby", "old", sorted(SCOPES)),
    ]


FAULTS = {
    '["x"]': "keys[0]: must have at least 16 characters",
    f'["{"x" * 16}", "{"y" * 15}"]': "keys[1]: must have at least 16 characters",
    '[{ env = "UNSET", default = "short" }]': "keys[0]: must have at least 16 characters",
    '[{ name = "a", key = "short" }]': "keys[0]: must have at least 16 characters",
    f'[{{ key = "{"x" * 16}", scopes = ["write"] }}]': "scopes must be a list of some of events",
    f'[{{ key = "{"x" * 16}", scopes = [] }}]': "scopes must be a list",
    f'[{{ key = "{"x" * 16}", scopes = "read" }}]': "scopes must be a list",
    f'[{{ key = "{"x" * 16}", name = 5 }}]': "name must be a string",
    f'[{{ key = "{"x" * 16}", scope = ["read"] }}]': "takes name, key and scopes",
    f'[{{ key = {{ key = "{"x" * 16}" }} }}]': "takes {env",
    '[{ key = { env = "UNSET" } }]': "the environment variable UNSET is not set",
    f'["{"x" * 16}", {{ key = "{"x" * 16}", scopes = ["read"] }}]': "is the same key as another",
}


@pytest.mark.parametrize("keys", FAULTS)
def test_a_key_that_is_none_stops_the_start_and_is_named(keys: str, write_config: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        open_guerdon(set_keys(write_config(), keys))

    assert len(caught.value.faults) == 1
    assert "[api] keys" in caught.value.faults[0]
    assert FAULTS[keys] in caught.value.faults[0]
    assert "xxxx" not in caught.value.faults[0]


ROUTES = {
    "events": [("POST", "/v1/events/level_up"), ("POST", "/v1/events/game_settle")],
    "claims": [("POST", "/v1/claims/lease"), ("POST", "/v1/claims/1/ack")],
    "read": [
        ("GET", "/v1/players/Bob"), ("HEAD", "/v1/players/Bob"), ("GET", "/v1/reports/1"),
        ("GET", "/v1/events/server.vote/v1"), ("GET", "/v1/players/claims/1"),
    ],
}  # fmt: skip


def test_a_key_opens_what_its_scopes_say_and_nothing_else(
    write_config: Write, open_service: Any
) -> None:
    open_service()
    sets = [some for size in (1, 2, 3) for some in combinations(SCOPES, size)]
    keys = {"-".join(["the-key-with", *some]): list(some) for some in sets}
    tables = ", ".join(
        f'{{ name = "{key}", key = "{key}", scopes = {json.dumps(scopes)} }}'
        for key, scopes in keys.items()
    )
    guerdon = open_guerdon(set_keys(write_config(), f"[{tables}]"))
    client = create_app(guerdon).test_client()

    for key, scopes in keys.items():
        for needed, routes in ROUTES.items():
            for method, path in routes:
                answer = client.open(path, method=method, headers=bear(key), data=b"{}")
                if needed in scopes:
                    assert answer.status_code in (200, 404, 409, 422), (key, path)
                    continue
                assert answer.status_code == 403
                assert answer.mimetype == "application/problem+json"
                if method != "HEAD":
                    assert f"has not the scope {needed}" in answer.get_json()["detail"]
                    assert key in answer.get_json()["detail"]  # its name, which is the same here
    guerdon.close()


def test_what_has_no_scope_of_its_own_wants_all(database_url: str) -> None:
    assert find_scopes("POST", "/v1/something/new") == set(SCOPES)
    assert find_scopes("DELETE", "/v1/players/Bob") == set(SCOPES)


def test_the_name_of_a_key_is_kept_with_what_it_did(
    write_config: Write, open_service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = (
        '[[rules]]\non = "server.vote"\ngive = [{ reward = "claim", payload = { command = "x" } }]'
    )
    guerdon = open_service(rules)
    post_vote(guerdon, "v1")
    guerdon.close()
    keys = '[{ name = "arena", key = "the-key-of-the-arena" }, "' + API_KEY + '"]'
    guerdon = open_guerdon(set_keys(write_config(rules), keys))
    client, arena = create_app(guerdon).test_client(), bear("the-key-of-the-arena")
    lease = {"server_id": "1", "limit": 5, "seconds": 60}
    capsys.readouterr()

    (claim,) = client.post("/v1/claims/lease", json=lease, headers=arena).get_json()["claims"]
    client.post("/v1/claims/lease", json=lease, headers=arena)
    client.post(f"/v1/claims/{claim['id']}/ack", json={"lease": claim["lease"]}, headers=arena)
    client.post("/v1/events/level_up", json=make_level_up(), headers=arena)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if line.get("key") == "arena"]
    assert [line["event"] for line in told] == ["claims leased", "claim acknowledged"]
    assert (told[0]["claims"], told[0]["server_id"]) == ([claim["id"]], "1")
    level = make_level_up()
    id_ = f"{level['uid']}:{level['server_id']}:{level['level']}"
    assert get_v1(guerdon, f"/events/level_up/{id_}")["token"] == "arena"
    guerdon.close()


def test_only_who_may_read_is_told_why_it_is_not_ready(
    write_config: Write, open_service: Any
) -> None:
    guerdon = open_service()
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("ALTER TABLE players RENAME COLUMN gold TO silver")
    guerdon.close()
    keys = """[{ name = "claims", key = "a-key-for-claims", scopes = ["claims"] },
               { name = "read", key = "a-key-for-reading", scopes = ["read"] }]"""
    guerdon = open_guerdon(set_keys(write_config(), keys))
    client = create_app(guerdon).test_client()

    untold = [
        client.get("/readyz", headers=headers)
        for headers in ({}, bear("a-key-for-claims"), bear("a-key-of-nobody-at-all"))
    ]
    told = client.get("/readyz", headers=bear("a-key-for-reading"))

    assert {answer.status_code for answer in (*untold, told)} == {503}
    assert "gold" in told.get_json()["reason"]
    for answer in untold:
        assert not re.search("gold|players|column", answer.text)
        assert "guerdon check" in answer.get_json()["reason"]
    guerdon.close()
