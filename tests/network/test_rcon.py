"""RCON's wire: whole answers to nobody else, whether a byte has left, and nothing after any doubt."""

import socket
import time
from collections.abc import Iterator

import pytest

from app.network.rcon import RconConnection
from app.porch.errors import NotSent, OutcomeUnknown
from app.porch.fields import Secret
from app.porch.kept_lines import KeptLines
from tests.world import rcon_server
from tests.world.rcon_server import PASSWORD, RconServer

GIVE = "give Bob diamond 1"
GAVE = "Gave 1 [diamond] to Bob"


@pytest.fixture
def server() -> Iterator[RconServer]:
    server = RconServer()
    yield server
    server.close()


OPEN: list[RconConnection] = []


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def connect(server: RconServer, timeout: float = 5.0, **options: bool) -> RconConnection:
    secret = Secret(PASSWORD, "rcon")
    OPEN.append(RconConnection(("127.0.0.1", server.port), secret, timeout, **options))
    return OPEN[-1]


def test_it_works(server: RconServer) -> None:
    line = connect(server)

    assert line.run(GIVE) == GAVE
    assert line.run("list") == "There are 1 of a max of 20 players online: Bob"
    assert line.is_quiet()
    assert server.commands == [GIVE, "list"]
    line.close()
    assert not line.is_quiet()


@pytest.mark.parametrize("has_empty_value", [True, False])
def test_a_wrong_password_sends_nothing(server: RconServer, has_empty_value: bool) -> None:
    server.has_empty_value = has_empty_value
    with pytest.raises(NotSent, match="password is refused"):
        RconConnection(("127.0.0.1", server.port), Secret("wrong", "rcon"), 5.0)

    connect(server).close()
    assert server.commands == []


def test_nobody_there_is_not_sent(server: RconServer) -> None:
    server.close()
    with pytest.raises(NotSent, match="no connection"):
        connect(server)


def test_one_that_takes_calls_and_says_nothing_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(NotSent, match="not signed in"):
            RconConnection(silent.getsockname(), Secret(PASSWORD, "rcon"), 0.3)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("behave", [rcon_server.answer_in_pieces, rcon_server.answer_somebody_else])
def test_its_own_answer_is_found_however_it_comes(
    server: RconServer, behave: rcon_server.Behave
) -> None:
    server.behave = behave
    assert connect(server).run(GIVE) == GAVE


def test_after_a_foreign_answer_the_connection_is_not_used_again(server: RconServer) -> None:
    server.behave = rcon_server.answer_somebody_else
    line = connect(server)
    line.run(GIVE)
    assert not line.is_quiet()


@pytest.mark.parametrize(
    "behave",
    [
        rcon_server.hang_up_after, rcon_server.hang_up_before, rcon_server.never_answer,
        rcon_server.answer_only_somebody_else, rcon_server.answer_garbage,
    ],
)  # fmt: skip
def test_what_left_and_was_not_answered_is_unknown(
    server: RconServer, behave: rcon_server.Behave
) -> None:
    server.behave = behave
    line = connect(server, timeout=0.5)
    with pytest.raises(OutcomeUnknown):
        line.run(GIVE)
    assert not line.is_quiet()


@pytest.mark.parametrize("is_source", [True, False])
@pytest.mark.parametrize("length", [3000, 4000, 9001, 40_000])
def test_long_answers_are_read_to_their_end(
    server: RconServer, length: int, is_source: bool
) -> None:
    server.marks_twice, server.is_strict = is_source, not is_source
    server.has_empty_value = is_source
    line = connect(server)
    assert line.run(f"long {length}") == "x" * length


def test_a_long_answer_ends_by_silence_where_its_end_cannot_be_marked(server: RconServer) -> None:
    line = connect(server, marks_end=False)
    assert line.run("long 9001") == "x" * 9001
    assert not line.is_quiet()


def test_an_answer_without_end_is_cut(server: RconServer) -> None:
    assert len(connect(server).run("long 400000")) < 300_000


def test_other_ids_are_an_option(server: RconServer) -> None:
    server.behave, server.any_id = rcon_server.answer_with_zero, True
    with pytest.raises(NotSent, match="another id"):
        connect(server)

    line = connect(server, any_id=True)
    assert line.run(GIVE) == GAVE
    assert line.is_quiet()


def test_a_late_answer_is_nobody_elses(server: RconServer) -> None:
    """Also where ids tell nothing: after the time is up, the connection is gone."""
    server.behave, server.any_id, server.delay = rcon_server.answer_with_zero, True, 0.4
    lines: KeptLines[RconConnection] = KeptLines()

    def use(command: str, timeout: float) -> str:
        with lines.borrow("a", lambda: connect(server, timeout, any_id=True)) as line:
            return line.run(command)

    assert use(GIVE, 5) == GAVE

    def answer_late(client: rcon_server.Client, id: int, command: str) -> None:
        said = server.execute(command)
        time.sleep(0.4)
        client.reply(0, said)

    server.behave = answer_late
    with lines.borrow("a", lambda: connect(server, any_id=True)) as line:
        line._timeout = 0.1
        with pytest.raises(OutcomeUnknown):
            line.run(GIVE)
    server.behave = rcon_server.answer_with_zero
    time.sleep(0.5)
    assert use("list", 5).startswith("There are 1")
    assert server.logins == 2


def test_a_connection_that_was_hung_up_on_is_opened_anew(server: RconServer) -> None:
    lines: KeptLines[RconConnection] = KeptLines()
    for _ in range(2):
        with lines.borrow("a", lambda: connect(server)) as line:
            assert line.run(GIVE) == GAVE
    assert server.logins == 1
    server.hang_up_on_all()
    time.sleep(0.05)
    with lines.borrow("a", lambda: connect(server)) as line:
        assert line.run(GIVE) == GAVE
    assert server.logins == 2


def test_nothing_leaves_once_it_is_too_late(server: RconServer) -> None:
    line = connect(server)
    with pytest.raises(NotSent, match="too late"):
        line.run(GIVE, lambda: 0.0)
    assert server.commands == []
