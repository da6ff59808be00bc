"""A plugin's port: served, borne through floods, and finished with when the process ends."""

import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.database.models import Event
from app.guerdon import Guerdon
from app.listening.clients import MOST
from app.listening.ports import Ports
from app.listening.tally import PAUSE, Tally
from app.testing.players import add_player
from app.testing.ports import find_free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# A line "ID NAME" is a vote; what became of it is told.
LINES = """
    from app import BadDelivery, Delivery, Event, Listener, hookimpl
    from marshmallow import Schema, fields

    class Section(Schema):
        bind = fields.String(required=True)

    @hookimpl
    def settings_schema():
        return Section

    @hookimpl
    def open_listeners(deliver, settings):
        def serve(connection):
            connection.send(b"hello\\n")
            text = b""
            while not text.endswith(b"\\n"):
                more = connection.receive(100)
                if not more:
                    raise BadDelivery("it hung up in the middle")
                text += more
            id, name = text.decode().split()
            outcome = deliver(Delivery("lines", "ping", id, data={"name": name}))
            connection.send(f"{outcome.state}\\n".encode())

        return [Listener("lines", settings["lines"]["bind"], serve, patience=2, limit=50)]

    @hookimpl
    def fetch_events(delivery):
        if delivery.source == "lines":
            return [Event("lines", "ping", delivery.id, "1", delivery.data["name"])]
"""
REWARDS = """
[[rules]]
name = "a ping"
on = "ping"
give = [{ reward = "gold", amount = "5.00" }]
"""


@pytest.fixture
def port() -> int:
    return find_free_port()


@pytest.fixture
def guerdon(add_plugin: Any, open_service: Any, port: int) -> Guerdon:
    section = add_plugin(LINES, "lines")
    guerdon: Guerdon = open_service(REWARDS, f'{section}bind = "127.0.0.1:{port}"\n')
    add_player(guerdon, "Ann")
    return guerdon


@pytest.fixture
def listening(guerdon: Guerdon) -> Iterator[Ports]:
    ports = Ports(guerdon.plugins, guerdon.database, guerdon.receiver.receive)
    ports.open()
    yield ports
    ports.stop()


def connect(port: int) -> socket.socket:
    """A client that was greeted; the port may not be open yet."""
    for _ in range(400):
        try:
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
            continue
        assert client.recv(100) == b"hello\n"
        return client
    raise AssertionError("nobody listens")


def vote(port: int, line: str) -> bytes:
    with connect(port) as client:
        client.sendall(line.encode())
        return client.makefile("rb").read()


def count_events(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        return int(Event.select().count())


def test_it_works(guerdon: Guerdon, listening: Ports, port: int) -> None:
    assert vote(port, "a Ann\n") == b"settled\n"
    assert vote(port, "a Ann\n") == b"known\n"
    assert vote(port, "b Nobody\n") == b"waiting\n"
    assert count_events(guerdon) == 1


@on_sqlite
def test_who_says_too_much_or_nothing_is_hung_up_on(listening: Ports, port: int) -> None:
    assert vote(port, "x" * 60) == b""
    with connect(port) as silent:
        assert silent.recv(10) == b""


@on_sqlite
def test_votes_come_through_a_crowd_that_is_silent(
    guerdon: Guerdon, listening: Ports, port: int
) -> None:
    """More of them than there is room for; the oldest of them make room."""
    silent = [connect(port) for _ in range(MOST + 20)]
    try:
        assert vote(port, "a Ann\n") == b"settled\n"
    finally:
        for client in silent:
            client.close()


@on_sqlite
def test_gunicorn_listens_with_all_workers_and_hands_over_at_a_reload(
    guerdon: Guerdon, port: int, start_gunicorn: Any
) -> None:
    server = start_gunicorn(guerdon.config.path, workers=2)
    answers = [vote(port, f"a{number} Ann\n") for number in range(20)]
    assert set(answers) == {b"settled\n"}

    server.process.send_signal(signal.SIGHUP)
    answers = [vote(port, f"b{number} Ann\n") for number in range(20)]
    assert set(answers) == {b"settled\n"}
    assert count_events(guerdon) == 40


@on_sqlite
def test_a_port_that_is_taken_costs_nothing_but_its_votes_and_is_tried_again(
    guerdon: Guerdon, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.listening.ports.AGAIN", 0.05)
    with socket.create_server(("127.0.0.1", port)):
        ports = Ports(guerdon.plugins, guerdon.database, guerdon.receiver.receive)
        ports.open()
    try:
        assert vote(port, "a Ann\n") == b"settled\n"
    finally:
        ports.stop()


def test_a_flood_is_one_line_a_minute() -> None:
    time = 0.0
    tally = Tally("lines", lambda: time)
    with capture_logs() as lines:
        for number in range(3000):
            tally.note(f"reason {number % 40}" if number > 1000 else "no vote", "192.0.2.7")
        time = PAUSE
        tally.tell()
        time = 2 * PAUSE
        tally.tell()

    assert [sum(line["reasons"].values()) for line in lines] == [1, 2999]
    assert len(lines[1]["reasons"]) == 13
