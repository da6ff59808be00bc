"""[plugins.webrcon]: Rust's console over a WebSocket, with chat between the answers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.guerdon import Guerdon
from tests.plugins.test_rcon import queue, read, serve
from tests.world import rust_server
from tests.world.rust_server import PASSWORD, RustServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECTION = """
[plugins.webrcon.servers.rust]
address = "ws://127.0.0.1:{port}"
password = "{password}"
servers = ["1"]
timeout = 0.5
done = ["^giving "]
"""
GIVE = "inventory.giveto Bob wood 100"


@pytest.fixture
def server() -> Iterator[RustServer]:
    server = RustServer()
    yield server
    server.close()


@pytest.fixture
def rust(open_service: Callable[..., Guerdon], server: RustServer) -> Guerdon:
    section = SECTION.replace("{port}", str(server.port)).replace("{password}", PASSWORD)
    return open_service(more=section)


def except_list(behave: Any) -> Any:
    def choose(session: Any, identifier: int, command: str) -> None:
        (rust_server.answer if command == "playerlist" else behave)(session, identifier, command)

    return choose


def test_it_works(rust: Guerdon, server: RustServer) -> None:
    for _ in range(3):
        queue(rust, {"command": GIVE})
    serve(rust)

    assert [row.state for row in read(rust)] == ["done"] * 3
    assert server.commands == ["playerlist", GIVE, GIVE, GIVE]
    assert len(server.paths) == 1  # one connection


def test_chat_is_nobodys_answer(rust: Guerdon, server: RustServer) -> None:
    server.behave = rust_server.chat_between
    queue(rust, {"command": "inventory.giveto Eve wood 1"})
    queue(rust, {"command": GIVE})
    serve(rust)

    states = [(row.state, row.answer) for row in read(rust)]
    assert states == [("waits", "Couldn't find player!"), ("done", "giving Bob 100 x wood")]


@pytest.mark.parametrize(
    "behave",
    [rust_server.answer_in_pieces, rust_server.answer_in_fragments, rust_server.answer_at_length,
     rust_server.answer_somebody_else_first],
)  # fmt: skip
def test_its_own_answer_is_found_however_it_comes(
    rust: Guerdon, server: RustServer, behave: rust_server.Behave
) -> None:
    server.behave = behave
    for _ in range(2):
        queue(rust, {"command": GIVE})
    serve(rust)
    assert [row.state for row in read(rust)] == ["done"] * 2
    assert server.given == {GIVE: 2}


@pytest.mark.parametrize(
    "behave",
    [rust_server.hang_up_after, rust_server.hang_up_before, rust_server.say_good_bye,
     rust_server.never_answer, rust_server.answer_late, rust_server.answer_others_only,
     rust_server.chat_without_end, rust_server.drip, rust_server.cut_inside,
     rust_server.answer_garbage],
)  # fmt: skip
def test_what_was_not_answered_is_unknown(
    rust: Guerdon, server: RustServer, clock: Any, behave: rust_server.Behave
) -> None:
    server.behave = except_list(behave)
    queue(rust, {"command": GIVE})
    row = serve(rust)
    assert (row.state, row.sends) == ("unknown", 1)
    assert row.last_error
    server.behave = rust_server.answer
    assert serve(rust, clock, 86_400).state == "unknown"
    assert server.given.total() == (behave is not rust_server.hang_up_before)


def test_a_late_answer_is_nobody_elses(rust: Guerdon, server: RustServer) -> None:
    """The second is asked by a connection of its own, which the first one's answer never comes to."""
    queue(rust, {"command": GIVE})
    queue(rust, {"command": "inventory.giveto Bob stone 5"})

    def answer_first_late(session: Any, identifier: int, command: str) -> None:
        is_late = command == GIVE
        (rust_server.answer_late if is_late else rust_server.answer)(session, identifier, command)

    server.behave = answer_first_late
    serve(rust)
    states = [(row.state, row.answer) for row in read(rust)]
    assert states == [("unknown", None), ("done", "giving Bob 5 x stone")]
    assert len(server.paths) == 2


@pytest.mark.parametrize(
    "last_words", [b"", rust_server.GOOD_BYE, 50 * rust_server.PING], ids=["none", "bye", "pings"]
)
def test_a_game_that_restarts_between_two_claims_costs_none(
    rust: Guerdon, server: RustServer, last_words: bytes
) -> None:
    """What it said before it went is read off the connection, so that nothing is sent into it."""
    for _ in range(2):
        queue(rust, {"command": GIVE})
        assert serve(rust).state == "done"
        server.hang_up_on_all(last_words)
    assert server.given == {GIVE: 2}
    assert len(server.paths) == 2


def test_chat_while_nobody_asks_is_read_off(rust: Guerdon, server: RustServer) -> None:
    for _ in range(2):
        queue(rust, {"command": GIVE})
        assert serve(rust).state == "done"
        message = rust_server.make_message(-1, "giving Bob 9 x gold", "Chat")
        server.say_to_all(100 * rust_server.make_frame(message))
    assert len(server.paths) == 1


def test_who_is_not_there_waits(rust: Guerdon, server: RustServer, clock: Any) -> None:
    server.players = {}
    queue(rust, {"command": GIVE})
    assert serve(rust).state == "waits"
    server.players = {"B b": "Bob"}  # a SteamID does as well
    assert serve(rust, clock, 60).state == "done"


def test_nobody_there_is_not_sent(rust: Guerdon, server: RustServer) -> None:
    server.close()
    queue(rust, {"command": GIVE})
    row = serve(rust)
    assert (row.state, row.sends) == ("ready", 0)


def test_a_wrong_password_gives_nothing(
    open_service: Callable[..., Guerdon], server: RustServer
) -> None:
    section = SECTION.replace("{port}", str(server.port)).replace("{password}", "a wrong one")
    guerdon = open_service(more=section)
    queue(guerdon, {"command": GIVE})
    assert serve(guerdon).state == "ready"
    assert server.commands == []
