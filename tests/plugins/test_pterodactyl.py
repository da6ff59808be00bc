"""[plugins.pterodactyl]: a panel takes commands, and tells no more."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.testing.platforms import Platform, answer_status, hang_up
from tests.plugins.test_rcon import queue, read, serve
from tests.world import panel as panels
from tests.world.panel import Panel

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECTION = """
[plugins.pterodactyl.servers.lobby]
panel = "{platform}"
key = "ptlc_a-key-of-the-panel"
server = "1a2b3c4d"
servers = ["1"]
names = "[A-Za-z0-9_]{1,16}"
timeout = {timeout}
taken_is = "{taken_is}"
"""
GIVE = {"command": "give Bob diamond 1"}
RUNS = answer_status(200, {"object": "stats", "attributes": {"current_state": "running"}})


def write(url: str, taken_is: str = "done", timeout: float = 2.0) -> str:
    said = SECTION.replace("{platform}", url).replace("{timeout}", str(timeout))
    return said.replace("{taken_is}", taken_is)


@pytest.fixture
def open_panel(open_service: Callable[..., Guerdon], platform: Platform) -> Callable[..., Guerdon]:
    def open_one(taken_is: str, command: Any, resources: Any = RUNS) -> Guerdon:
        def behave(handler: Any) -> None:
            (command if handler.path.endswith("/command") else resources)(handler)

        platform.behave = behave
        guerdon = open_service(more=write(platform.url, taken_is))
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
        (answer_status(401), "ready", 0), (answer_status(403), "ready", 0),
        (answer_status(409), "ready", 0), (answer_status(400), "refused", 1),
        (answer_status(503), "unknown", 1), (answer_status(504), "unknown", 1),
        (answer_status(200, b"<html>sign in"), "unknown", 1),
        (answer_status(302, Location="/elsewhere"), "unknown", 1),
        (answer_status(307, Location="/api/client/servers/1a2b3c4d/command"), "unknown", 1),
    ],
)  # fmt: skip
def test_an_answer_says_what_it_says(
    open_panel: Callable[..., Guerdon], platform: Platform, command: Any, state: str, sends: int
) -> None:
    row = serve(open_panel("done", command))
    assert (row.state, row.sends) == (state, sends)
    assert len(platform.requests) == 2  # and no redirect was followed


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


@pytest.fixture
def panel() -> Iterator[Panel]:
    panel = Panel()
    yield panel
    panel.close()


@pytest.mark.parametrize(
    "behave",
    [panels.hang_up_after, panels.hang_up_before, panels.cut_inside, panels.never_answer,
     panels.drip, panels.answer_garbage, panels.answer_as(500, "Oops"),
     panels.answer_as(302, "Found"), panels.answer_as(504, "Gateway Timeout")],
)  # fmt: skip
def test_what_was_not_answered_is_unknown_and_never_sent_again(
    open_service: Callable[..., Guerdon], panel: Panel, clock: Any, behave: panels.Behave
) -> None:
    guerdon = open_service(more=write(panel.url, timeout=0.5))
    queue(guerdon, GIVE)
    panel.behave = behave
    row = serve(guerdon)
    assert (row.state, row.sends) == ("unknown", 1)
    assert row.last_error
    panel.behave = panels.answer
    assert serve(guerdon, clock, 7 * 86_400).state == "unknown"
    assert panel.given.total() == (behave is not panels.hang_up_before)


def test_a_late_answer_is_nobody_elses(open_service: Callable[..., Guerdon], panel: Panel) -> None:
    """The panel takes the second while the first is not answered yet."""
    guerdon = open_service(more=write(panel.url, timeout=0.5))
    refused = {"command": "give Eve diamond 1"}
    queue(guerdon, GIVE)
    queue(guerdon, refused)

    def answer_first_late(call: panels.Call, number: int, command: str) -> None:
        if command == GIVE["command"]:
            panels.never_answer(call, number, command)
        else:
            panels.answer_as(422, "No")(call, number, command)

    panel.behave = answer_first_late
    serve(guerdon)
    assert [row.state for row in read(guerdon)] == ["unknown", "refused"]


def test_an_answer_counts_however_it_comes(
    open_service: Callable[..., Guerdon], panel: Panel
) -> None:
    guerdon = open_service(more=write(panel.url))
    panel.behave = panels.answer_in_pieces
    queue(guerdon, GIVE)
    queue(guerdon, GIVE)
    serve(guerdon)
    assert [row.state for row in read(guerdon)] == ["done"] * 2
    assert panel.given == {GIVE["command"]: 2}


def test_a_server_that_restarts_is_sent_nothing_meanwhile(
    open_service: Callable[..., Guerdon], panel: Panel, clock: Any
) -> None:
    guerdon = open_service(more=write(panel.url))
    queue(guerdon, GIVE)
    panel.state = "starting"
    assert serve(guerdon).state == "ready"
    panel.state = "running"
    assert serve(guerdon, clock, 60).state == "done"
    assert panel.given == {GIVE["command"]: 1}
