"""A stand-in for a game's console that speaks Source RCON, and misbehaves in every way on demand."""

import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

PASSWORD = "rcon-password-of-tests"
VALUE, COMMAND, LOGIN_ANSWER, LOGIN = 0, 2, 2, 3
Behave = Callable[["Client", int, str], None]


def pack(id: int, kind: int, text: bytes) -> bytes:
    return struct.pack("<iii", len(text) + 10, id, kind) + text + b"\0\0"


class Client:
    """Somebody who is connected."""

    def __init__(self, server: "RconServer", connection: socket.socket) -> None:
        self.server, self.connection = server, connection
        self.is_signed_in = False

    def reply(self, id: int, text: str, size: int = 4000) -> None:
        """An answer in as many packets as it takes."""
        raw = text.encode()
        pieces = [raw[start : start + size] for start in range(0, len(raw), size)] or [b""]
        for piece in pieces:
            self.connection.sendall(pack(id, VALUE, piece))

    def hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def answer(client: Client, id: int, command: str) -> None:
    """As a well-behaved Minecraft does."""
    client.reply(id, client.server.execute(command))


def hang_up_after(client: Client, id: int, command: str) -> None:
    client.server.execute(command)
    client.hang_up()


def hang_up_before(client: Client, id: int, command: str) -> None:
    client.hang_up()


def never_answer(client: Client, id: int, command: str) -> None:
    client.server.execute(command)


def answer_late(client: Client, id: int, command: str) -> None:
    time.sleep(client.server.delay)
    answer(client, id, command)


def answer_in_pieces(client: Client, id: int, command: str) -> None:
    for byte in pack(id, VALUE, client.server.execute(command).encode()):
        client.connection.sendall(bytes([byte]))
        time.sleep(0.001)


def answer_somebody_else(client: Client, id: int, command: str) -> None:
    """First what another command was to get, then its own, in one write."""
    said = client.server.execute(command).encode()
    client.connection.sendall(pack(id + 7, VALUE, b"Gave 1 to Eve") + pack(id, VALUE, said))


def answer_only_somebody_else(client: Client, id: int, command: str) -> None:
    client.server.execute(command)
    client.reply(id + 7, "Gave 1 [Diamond] to Eve")


def answer_with_zero(client: Client, id: int, command: str) -> None:
    """As Palworld."""
    client.reply(0, client.server.execute(command))


def answer_garbage(client: Client, id: int, command: str) -> None:
    client.server.execute(command)
    client.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class RconServer:
    """Listens on loopback. What it executed is in `commands`, in its order; who is there in `players`."""

    def __init__(self, port: int = 0) -> None:
        self.players = {"Bob"}
        self.commands: list[str] = []
        self.behave: Behave = answer
        self.delay = 0.5  # seconds
        self.logins = 0
        self.is_strict = True  # as vanilla Minecraft: a read that is not one packet is hung up on
        self.marks_twice = False  # as Source: its mark is followed by another packet
        self.has_empty_value = False  # before the answer to a login, as Source sends it
        self.any_id = False
        self.connected = 0
        self.most_connected = 0
        self._lock = threading.Lock()
        self._clients: list[Client] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def given(self) -> "Counter[str]":
        """How often each command was executed that gives something."""
        return Counter(one for one in self.commands if one.startswith(("give ", "xp ")))

    def execute(self, command: str) -> str:
        """What Minecraft does with a command, and says of it."""
        with self._lock:
            self.commands.append(command)
        if command == "list":
            names = ", ".join(sorted(self.players))
            return f"There are {len(self.players)} of a max of 20 players online: {names}"
        if found := re.fullmatch(r"give (\S+) (\S+) (\d+)", command):
            name, item, count = found.groups()
            if name not in self.players:
                return "No player was found"
            return f"Gave {count} [{item}] to {name}"
        if command.startswith("long "):
            return "x" * int(command.split()[1])
        return "Unknown or incomplete command, see below for error\n" + command + "<--[HERE]"

    def close(self) -> None:
        """Nobody listens any more, and everybody is hung up on."""
        self._is_open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up_on_all()

    def hang_up_on_all(self) -> None:
        for client in self._clients:
            client.hang_up()
        self._clients.clear()

    def _accept(self) -> None:
        while self._is_open:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(self, connection)
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: Client) -> None:
        with self._lock:
            self.connected += 1
            self.most_connected = max(self.most_connected, self.connected)
        buffer = b""
        try:
            while came := client.connection.recv(1460):
                buffer += came
                while len(buffer) >= 14:
                    size = int.from_bytes(buffer[:4], "little")
                    if self.is_strict and size + 4 != len(buffer):
                        return
                    if len(buffer) < size + 4:
                        break
                    _, id, kind = struct.unpack_from("<iii", buffer)
                    text = buffer[12 : size + 2].decode()
                    buffer = buffer[size + 4 :]
                    self._take(client, id, kind, text)
        except OSError:
            pass
        finally:
            with self._lock:
                self.connected -= 1
            client.hang_up()

    def _take(self, client: Client, id: int, kind: int, text: str) -> None:
        if kind == LOGIN:
            client.is_signed_in = text == PASSWORD
            self.logins += client.is_signed_in
            told = (0 if self.any_id else id) if client.is_signed_in else -1
            before = pack(id, VALUE, b"") if self.has_empty_value else b""
            client.connection.sendall(before + pack(told, LOGIN_ANSWER, b""))
        elif not client.is_signed_in:
            client.hang_up()
        elif kind == COMMAND:
            self.behave(client, id, text)
        else:
            more = pack(id, VALUE, b"\0\1\0\0") if self.marks_twice else b""
            said = b"" if self.marks_twice else f"Unknown request {kind}".encode()
            client.connection.sendall(pack(id, VALUE, said) + more)
