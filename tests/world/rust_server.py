"""A stand-in for Rust's WebRCON, by a server of its own: frames, chat between them, and misbehaviour."""

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PASSWORD = "rust password/of tests"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class RustServer:
    """Listens on loopback. What it executed is in `commands`; `behave` answers each."""

    def __init__(self, port: int = 0) -> None:
        self.players = {"Bob": "76561198000000001"}
        self.commands: list[str] = []
        self.paths: list[str] = []
        self.behave: Callable[[Any, int, str], None] = answer
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def execute(self, command: str) -> str:
        self.commands.append(command)
        if command == "playerlist":
            return json.dumps([{"SteamID": i, "DisplayName": n} for n, i in self.players.items()])
        word = command.split()
        if word[0] == "inventory.giveto":
            known = word[1] in self.players or word[1] in self.players.values()
            return f"giving {word[1]} {word[3]} x {word[2]}" if known else "Couldn't find player!"
        return f"Command '{command}' not found"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(Session(self, client),), daemon=True).start()

    def _serve(self, session: "Session") -> None:
        with suppress(OSError, ConnectionError):
            if session.shake_hands():
                while (text := session.read()) is not None:
                    said = json.loads(text)
                    self.behave(session, said["Identifier"], said["Message"])
        session.hang_up()


class Session:
    """Somebody who is connected."""

    def __init__(self, server: RustServer, connection: socket.socket) -> None:
        self.server, self.connection = server, connection

    def shake_hands(self) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            came = self.connection.recv(4096)
            if not came:
                raise ConnectionError
            head += came
        lines = head.decode().split("\r\n")
        self.server.paths.append(lines[0].split()[1])
        key = next(
            one.split(": ")[1] for one in lines if one.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        self.connection.sendall(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        return lines[0].split()[1] == "/rust%20password%2Fof%20tests"

    def read(self) -> str | None:
        first, second = self._take(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        mask = self._take(4)
        raw = bytes(byte ^ mask[n % 4] for n, byte in enumerate(self._take(length)))
        return raw.decode() if first & 15 == 1 else None

    def _take(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count:
            came = self.connection.recv(count - len(raw))
            if not came:
                raise ConnectionError
            raw += came
        return raw

    def say(self, identifier: int, message: str, kind: str = "Generic") -> None:
        text = json.dumps({"Identifier": identifier, "Message": message, "Type": kind}).encode()
        size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + struct.pack(">H", len(text))
        self.connection.sendall(b"\x81" + size + text)

    def hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def answer(session: Session, identifier: int, command: str) -> None:
    session.say(identifier, session.server.execute(command))


def chat_between(session: Session, identifier: int, command: str) -> None:
    """As a busy server: somebody says what would be an answer."""
    session.say(-1, "giving Bob 9 x gold", "Chat")
    session.say(0, "[event] a plane")
    session.connection.sendall(b"\x81\x03abc")  # no JSON
    answer(session, identifier, command)
    session.say(-1, "late chat", "Chat")


def hang_up_after(session: Session, identifier: int, command: str) -> None:
    session.server.execute(command)
    session.hang_up()


def answer_others_only(session: Session, identifier: int, command: str) -> None:
    session.server.execute(command)
    session.say(identifier + 1, "giving Bob 1 x wood")
