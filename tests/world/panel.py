"""A stand-in for a panel as Pterodactyl: it takes commands by HTTP, and misbehaves on demand."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.testing import platforms
from app.testing.platforms import Platform

KEY, SERVER = "ptlc_a-key-of-the-panel", "1a2b3c4d"
TAKEN = b"HTTP/1.1 204 No Content\r\nCache-Control: no-cache\r\n\r\n"


class Panel:
    """Listens on loopback. What it gave to the game is in `commands`; `behave` answers each."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.behave: Behave = answer
        self.state = "running"
        self.when_asked: Callable[[], None] = lambda: None  # for its state; once
        self.platform = Platform()
        self.platform.behave = self._serve
        self.url = self.platform.url

    @property
    def given(self) -> "Counter[str]":
        """How often each command was given to the game."""
        return Counter(self.commands)

    def execute(self, command: str) -> None:
        self.commands.append(command)

    def close(self) -> None:
        self.platform.close()

    def _serve(self, handler: Any) -> None:
        if handler.path.endswith("/command"):
            self.behave(Call(self, handler), 0, json.loads(handler.body)["command"])
        else:
            tell, self.when_asked = self.when_asked, lambda: None
            tell()
            state = {"object": "stats", "attributes": {"current_state": self.state}}
            platforms.answer(handler, 200, state)


class Call:
    """One request with a command."""

    def __init__(self, panel: Panel, handler: Any) -> None:
        self.panel, self.handler = panel, handler

    def send(self, raw: bytes) -> None:
        """These bytes, as they are."""
        self.handler.wfile.write(raw)

    def hang_up(self) -> None:
        platforms.hang_up(self.handler)


Behave = Callable[[Call, int, str], None]


def answer(call: Call, number: int, command: str) -> None:
    call.panel.execute(command)
    call.send(TAKEN)


def hang_up_after(call: Call, number: int, command: str) -> None:
    call.panel.execute(command)
    call.hang_up()


def hang_up_before(call: Call, number: int, command: str) -> None:
    call.hang_up()


def cut_inside(call: Call, number: int, command: str) -> None:
    call.panel.execute(command)
    call.send(TAKEN[:-4])
    call.hang_up()


def never_answer(call: Call, number: int, command: str) -> None:
    call.panel.execute(command)
    call.panel.platform.closing.wait()
    call.hang_up()


def drip(call: Call, number: int, command: str) -> None:
    """An answer whose end does not come in time."""
    call.panel.execute(command)
    for byte in TAKEN[:-4] + b"x" * 10_000:
        if call.panel.platform.closing.wait(0.02):
            break
        call.send(bytes([byte]))
    call.hang_up()


def answer_garbage(call: Call, number: int, command: str) -> None:
    call.panel.execute(command)
    call.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    call.hang_up()


def answer_in_pieces(call: Call, number: int, command: str) -> None:
    """What comes after a hundred and two, byte by byte."""
    call.panel.execute(command)
    for byte in b"HTTP/1.1 102 Processing\r\n\r\n" + TAKEN:
        call.send(bytes([byte]))
        call.panel.platform.closing.wait(0.001)


def answer_as(status: int, words: str) -> Behave:
    """This status, after the game was given the command or not: nobody can tell."""

    def behave(call: Call, number: int, command: str) -> None:
        call.panel.execute(command)
        head = f"HTTP/1.1 {status} {words}\r\nLocation: /api/client\r\nContent-Length: 0\r\n\r\n"
        call.send(head.encode())

    return behave
