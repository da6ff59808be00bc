"""[plugins.pterodactyl]: a panel takes commands, and tells no more."""

from collections.abc import Callable
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.testing.platforms import Platform, answer_status, hang_up
from tests.plugins.test_rcon import queue, serve

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECTION = """
[plugins.pterodactyl.servers.lobby]
panel = "{platform}"
key = "ptlc_a-key-of-the-panel"
server = "1a2b3c4d"
servers = ["1"]
names = "[A-Za-z0-9_]{1,16}"
timeout = 2.0
taken_is = "{taken_is}"
"""
GIVE = {"command": "give Bob diamond 1"}
RUNS = answer_status(200, {"object": "stats", "attributes": {"current_state": "running"}})


@pytest.fixture
def open_panel(open_service: Callable[..., Guerdon], platform: Platform) -> Callable[..., Guerdon]:
    def open_one(taken_is: str, command: Any, resources: Any = RUNS) -> Guerdon:
        def behave(handler: Any) -> None:
            (command if handler.path.endswith("/command") else resources)(handler)

        platform.behave = behave
        said = SECTION.replace("{platform}", platform.url).replace("{taken_is}", taken_is)
        guerdon = open_service(more=said)
        queue(guerdon, GIVE)
        return guerdon

    return open_one


def list_commands(platform: Platform) -> list[Any]:
    return [one.fields for one in platform.requests if one.path.endswith("/command")]


@pytest.mark.parametrize("taken_is", ["done", "unknown"])
def test_it_works(open_panel: Callable[..., Guerdon], platform: Platform, taken_is: str) -> None:
    row = serve(open_panel(taken_is, answer_status(204)))

    assert (row.state, row.answer) == (taken_is, "HTTP 204")
    assert list_commands(platform) == [GIVE]
    paths = [one.path for one in platform.requests]
    assert paths == [f"/api/client/servers/1a2b3c4d/{name}" for name in ("resources", "command")]
    assert {one.headers["Authorization"] for one in platform.requests} == {
        "Bearer ptlc_a-key-of-the-panel"
    }


@pytest.mark.parametrize(
    ("command", "state", "sends"),
    [
        (answer_status(502), "ready", 0), (answer_status(429), "ready", 0),
        (answer_status(404), "ready", 0), (answer_status(422), "refused", 1),
        (answer_status(500), "unknown", 1), (hang_up, "unknown", 1),
        (answer_status(302, Location="/elsewhere"), "unknown", 1),
    ],
)  # fmt: skip
def test_an_answer_says_what_it_says(
    open_panel: Callable[..., Guerdon], command: Any, state: str, sends: int
) -> None:
    row = serve(open_panel("done", command))
    assert (row.state, row.sends) == (state, sends)


@pytest.mark.parametrize(
    "resources",
    [
        answer_status(200, {"attributes": {"current_state": "offline"}}), answer_status(403), hang_up,
    ],
)  # fmt: skip
def test_nothing_is_sent_to_a_server_that_does_not_run(
    open_panel: Callable[..., Guerdon], platform: Platform, resources: Any
) -> None:
    row = serve(open_panel("done", answer_status(204), resources))
    assert (row.state, row.sends) == ("ready", 0)
    assert list_commands(platform) == []
