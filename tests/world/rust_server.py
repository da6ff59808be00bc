"""A stand-in for Rust's WebRCON, by a server of its own: frames, chat between them, and misbehaviour."""

import base64
import hashlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

PASSWORD = "rust password/of tests"
GOOD_BYE, PING = b"\x88\x02\x03\xe9", b"\x89\x02hi"
Behave = Callable[["Session", int, str], None]
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class RustServer:
    """Listens on loopback. What it executed is in `commands`; `behave` answers each."""

    def __init__(self, port: int = 0) -> None:
        self.players = {"Bob": "76561198000000001"}
        self.commands: list[str] = []
        self.paths: list[str] = []
        self.behave: Behave = answer
        self.delay = 0.8  # seconds
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def given(self) -> "Counter[str]":
        """How often each command was executed that gives something."""
        return Counter(one for one in self.commands if one.startswith("inventory.giveto "))

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
        self.closing.set()
        self.hang_up_on_all()

    def hang_up_on_all(self, last_words: bytes = b"") -> None:
        """After these bytes, as a frame that says good-bye."""
        for client in self._clients:
            with suppress(OSError):
                client.sendall(last_words)
                client.shutdown(socket.SHUT_RDWR)
            client.close()
        self._clients.clear()

    def say_to_all(self, frame: bytes) -> None:
        for client in self._clients:
            with suppress(OSError):
                client.sendall(frame)

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
        """The next text; None once the other side says good-bye."""
        first, second = self._take(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        mask = self._take(4)
        raw = bytes(byte ^ mask[n % 4] for n, byte in enumerate(self._take(length)))
        if first & 15 == 10:  # a pong
            return self.read()
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
        self.connection.sendall(make_frame(make_message(identifier, message, kind)))

    def hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def make_message(identifier: int, message: str, kind: str = "Generic") -> bytes:
    return json.dumps(
        {"Message": message, "Identifier": identifier, "Type": kind, "Stacktrace": ""}
    ).encode()


def make_frame(text: bytes, first: int = 0x81) -> bytes:
    """`first` says whether it is the last of its message, and what it is: 0x81 a whole text."""
    size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + struct.pack(">H", len(text))
    return bytes([first]) + size + text


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


def hang_up_before(session: Session, identifier: int, command: str) -> None:
    session.hang_up()


def say_good_bye(session: Session, identifier: int, command: str) -> None:
    session.server.execute(command)
    session.connection.sendall(GOOD_BYE)


def never_answer(session: Session, identifier: int, command: str) -> None:
    session.server.execute(command)


def answer_late(session: Session, identifier: int, command: str) -> None:
    said = session.server.execute(command)
    session.server.closing.wait(session.server.delay)
    session.say(identifier, said)


def chat_without_end(session: Session, identifier: int, command: str) -> None:
    """It never comes to its answer."""
    session.server.execute(command)
    while not session.server.closing.wait(0.02):
        session.say(-1, "giving Bob 9 x gold", "Chat")


def drip(session: Session, identifier: int, command: str) -> None:
    """A frame whose end never comes."""
    session.server.execute(command)
    frame = make_frame(b" " * 60_000)
    while frame and not session.server.closing.wait(0.02):
        session.connection.sendall(frame[:1])
        frame = frame[1:]


def cut_inside(session: Session, identifier: int, command: str) -> None:
    frame = make_frame(make_message(identifier, session.server.execute(command)))
    session.connection.sendall(frame[:-5])
    session.hang_up()


def answer_garbage(session: Session, identifier: int, command: str) -> None:
    session.server.execute(command)
    session.connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def answer_in_pieces(session: Session, identifier: int, command: str) -> None:
    """Byte by byte, after a ping that came in the middle."""
    for byte in PING + make_frame(make_message(identifier, session.server.execute(command))):
        session.connection.sendall(bytes([byte]))
        time.sleep(0.001)


def answer_in_fragments(session: Session, identifier: int, command: str) -> None:
    """One message in three frames, a ping and a pause between them."""
    text = make_message(identifier, session.server.execute(command))
    for piece, first in ((text[:5], 0x01), (text[5:9], 0x00), (text[9:], 0x80)):
        session.connection.sendall(PING + make_frame(piece, first))
        time.sleep(0.01)


def answer_at_length(session: Session, identifier: int, command: str) -> None:
    session.say(identifier, session.server.execute(command) + " " * 40_000)


def answer_somebody_else_first(session: Session, identifier: int, command: str) -> None:
    """What an earlier and a later command would get, and its own between them, in one write."""
    own = session.server.execute(command)
    told = ((identifier - 1, "giving Eve 1 x wood"), (identifier, own), (identifier + 1, "no"))
    session.connection.sendall(b"".join(make_frame(make_message(*one)) for one in told))
