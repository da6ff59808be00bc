"""A stand-in for a game's console that speaks Source RCON: it runs nothing, and keeps what came.

Written from the protocol's description, and sharing nothing with our plugin. It listens on this machine
alone, and to who has the password.
"""

import hmac
import re
import socket
import socketserver
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.guerdon import Guerdon
from app.playground.site_sections import find_console
from app.porch.errors import GuerdonError

VALUE, COMMAND, LOGIN_ANSWER, LOGIN = 0, 2, 2, 3
SMALLEST, LARGEST = 10, 4096  # bytes that a packet may announce
LINES_KEPT = 50
MOST_CONNECTED = 64
PATIENCE = 600.0  # seconds without a word
LIST = "list"
GIVE = re.compile(r"give ([A-Za-z0-9_.-]{1,48}) ([a-z0-9_:.]{1,64}) (\d{1,4})")
SLOTS = 20


class Way(StrEnum):
    """What becomes of the next command."""

    WELL = "well"
    CUT_AFTER = "cut_after"  # it runs, and the connection is cut before its answer
    CUT_BEFORE = "cut_before"  # the connection is cut, and it never runs


@dataclass(frozen=True, slots=True)
class Line:
    """A command that came, and what was answered; `has_run` tells whether something was given."""

    number: int
    at: float  # seconds since the epoch
    command: str
    answer: str
    way: Way
    has_run: bool


class GameConsole:
    """A Minecraft as far as its console shows it: who is online, and the latest commands."""

    def __init__(self, password: str, players: tuple[str, ...] = ()) -> None:
        self._password = password
        self._lock = threading.Lock()
        self._online = {name.casefold(): name for name in players}
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._count = 0
        self._way = Way.WELL

    @property
    def way(self) -> Way:
        """What becomes of the next command; after it all is well again."""
        return self._way

    def behave(self, way: Way) -> None:
        self._way = way

    def knows(self, password: bytes) -> bool:
        return hmac.compare_digest(password, self._password.encode())

    def list_online(self) -> list[str]:
        with self._lock:
            return sorted(self._online.values())

    def is_online(self, nickname: str) -> bool:
        with self._lock:
            return nickname.casefold() in self._online

    def set_online(self, nickname: str, is_online: bool) -> None:
        """Let a player join, or leave."""
        with self._lock:
            self._online.pop(nickname.casefold(), None)
            if is_online:
                self._online[nickname.casefold()] = nickname

    def list_lines(self) -> list[Line]:
        """The latest commands, the newest first; what asks who is online is none."""
        with self._lock:
            return list(self._lines)

    def take(self, command: str) -> str | None:
        """What is answered to a command; None: the connection is cut."""
        if command == LIST:
            names = self.list_online()
            return f"There are {len(names)} of a max of {SLOTS} players online: {', '.join(names)}"
        with self._lock:
            way, self._way = self._way, Way.WELL
            answer = self._execute(command) if way is not Way.CUT_BEFORE else ""
            has_run = answer.startswith("Gave ")
            self._count += 1
            said = answer if way is Way.WELL else ""
            line = Line(self._count, time.time(), command, said, way, has_run)
            self._lines.appendleft(line)
        return answer if way is Way.WELL else None

    def _execute(self, command: str) -> str:
        found = GIVE.fullmatch(command)
        if found is None:
            return f"Unknown or incomplete command, see below for error\n{command}<--[HERE]"
        name, item, count = found.groups()
        if name.casefold() not in self._online:
            return "No player was found"
        return f"Gave {count} [{item.rpartition(':')[2].capitalize()}] to {name}"


class Session(socketserver.BaseRequestHandler):
    """Somebody who is connected: signed in first, then a command at a time."""

    server: "ConsoleServer"

    def handle(self) -> None:
        self.request.settimeout(PATIENCE)
        is_signed_in = False
        try:
            while (packet := self._read_packet()) is not None:
                id, kind, text = packet
                if kind == LOGIN:
                    is_signed_in = self.server.console.knows(text)
                    self._send(id if is_signed_in else -1, LOGIN_ANSWER, b"")
                elif not is_signed_in or not self._answer(id, kind, text):
                    return
        except OSError:
            pass  # it hung up

    def _answer(self, id: int, kind: int, text: bytes) -> bool:
        """Whether the connection goes on."""
        if kind != COMMAND:
            self._send(id, VALUE, f"Unknown request {kind}".encode())
            return True
        answer = self.server.console.take(text.decode("utf-8", "replace"))
        if answer is not None:
            self._send(id, VALUE, answer.encode())
        return answer is not None

    def _read_packet(self) -> tuple[int, int, bytes] | None:
        """Id, type and text; None at the end, and for what is no packet."""
        head = self._read(4)
        size = int.from_bytes(head, "little") if head else 0
        if not SMALLEST <= size <= LARGEST or (rest := self._read(size)) is None:
            return None
        id, kind = struct.unpack_from("<ii", rest)
        return id, kind, rest[8:-2]

    def _read(self, count: int) -> bytes | None:
        came = b""
        while len(came) < count:
            more = self.request.recv(count - len(came))
            if not more:
                return None
            came += more
        return came

    def _send(self, id: int, kind: int, text: bytes) -> None:
        size = len(text) + SMALLEST
        self.request.sendall(struct.pack("<iii", size, id, kind) + text + b"\0\0")


class ConsoleServer(socketserver.ThreadingTCPServer):
    """The port of a console: a thread for each who is connected, and not too many."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, console: GameConsole, address: tuple[str, int]) -> None:
        """Listens at once. Raises OSError where somebody else does."""
        self.console = console
        self._room = threading.BoundedSemaphore(MOST_CONNECTED)
        super().__init__(address, Session)

    def start(self) -> None:
        """Serve, in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="console", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more."""
        return self._room.acquire(blocking=False)

    def process_request_thread(self, request: socket.socket, client_address: Any) -> None:  # type: ignore[override]
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()


def open_console(
    guerdon: Guerdon, players: tuple[str, ...]
) -> tuple[GameConsole, ConsoleServer] | None:
    """The console that the config's leads to, with these players online; None where it has none.

    Raises GuerdonError where somebody else listens there.
    """
    section = find_console(guerdon)
    if section is None:
        return None
    host, _, port = section["address"].rpartition(":")
    console = GameConsole(section["password"].reveal(), players)
    try:
        server = ConsoleServer(console, (host, int(port)))
    except OSError as error:
        raise GuerdonError(
            f"the console cannot listen on {section['address']}: {error.strerror}"
        ) from None
    server.start()
    return console, server
