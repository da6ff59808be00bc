"""A stand-in for a Minecraft list: it connects to Guerdon's port and speaks Votifier, v1 or v2."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from app.playground.exchange import VOTER_ADDRESS, Exchange, Vote

SERVICE = "Playground"
FRAME = b"\x73\x3a"
PATIENCE = 10.0  # seconds
LONGEST = 4096  # bytes of an answer
WRONG = "the-token-of-somebody-else"


class Votifier:
    """What both versions share: a vote without an id, and a call at a port."""

    source = "votifier"

    def __init__(self, bind: str, server: str) -> None:
        host, _, port = bind.rpartition(":")
        self.server = server
        self._address = host.strip("[]"), int(port)

    def write_vote(self, nickname: str) -> Vote:
        """Its time, to the millisecond, tells it from another."""
        return {
            "serviceName": SERVICE, "username": nickname, "address": VOTER_ADDRESS,
            "timestamp": str(time.time_ns() // 1_000_000),
        }  # fmt: skip

    def call(self, write: Callable[[str], tuple[bytes, str]]) -> Exchange:
        """Connect, send what `write` makes of the greeting (bytes, and as text), and read to the end."""
        began, shown = time.monotonic(), f"TCP {self._address[0]}:{self._address[1]}"
        try:
            with socket.create_connection(self._address, PATIENCE) as connection:
                greeting = read_line(connection)
                packet, text = write(greeting)
                shown += f"\n< {greeting}\n> {text}"
                connection.sendall(packet)
                said, status = read_to_end(connection), 200
        except OSError as error:
            said, status = f"no answer ({type(error).__name__})", 0
        took = round((time.monotonic() - began) * 1000)
        is_fine = bool(status) and says_ok(said)
        badge = ("ok" if is_fine else "error") if status and said else "\N{EN DASH}"
        return Exchange(shown, said, status, took, is_fine, badge)


class VotifierV2(Votifier):
    """NuVotifier's: a JSON object with a signature, which gives back the greeting's challenge."""

    def __init__(self, bind: str, token: str, server: str) -> None:
        super().__init__(bind, server)
        self._token = token

    def send(self, vote: Vote, is_forged: bool) -> Exchange:
        """The same vote again is a new packet: the challenge is another."""

        def write(greeting: str) -> tuple[bytes, str]:
            payload = json.dumps({**vote, "challenge": greeting.rpartition(" ")[2]})
            token = WRONG if is_forged else self._token
            mac = hmac.new(token.encode(), payload.encode(), hashlib.sha256).digest()
            frame = {"payload": payload, "signature": base64.b64encode(mac).decode()}
            raw = json.dumps(frame).encode()
            return FRAME + len(raw).to_bytes(2, "big") + raw, json.dumps(frame, indent=2)

        return self.call(write)


class VotifierV1(Votifier):
    """The old one: a block that the public key encrypts. Nothing is ever answered."""

    def __init__(self, bind: str, public_key: Any, server: str) -> None:
        super().__init__(bind, server)
        self._public_key = public_key

    def send(self, vote: Vote, is_forged: bool) -> Exchange:
        """A forged one is made with another public key."""
        text = "\n".join(["VOTE", *vote.values(), ""])
        block = encrypt(make_key().public_key() if is_forged else self._public_key, text.encode())
        shown = f"{base64.b64encode(block).decode()}\n\n{text}"
        return self.call(lambda greeting: (block, shown))


def make_v1(section: Mapping[str, Any]) -> VotifierV1 | None:
    """The list that has the public key of this section; None where there is none, or no `cryptography`."""
    try:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  (an extra)
            load_pem_private_key,
        )
    except ImportError:
        return None
    if section["private_key"] is None:
        return None
    try:
        key = load_pem_private_key(section["private_key"].reveal().encode(), None)
    except ValueError:  # as Minecraft's plugins keep it: somebody else's, and none of ours
        return None
    return VotifierV1(section["bind"], key.public_key(), section["server"])


def make_key() -> Any:
    """A key of somebody else."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  (an extra)

    return rsa.generate_private_key(65537, 2048)


def encrypt(public_key: Any, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import (  # noqa: PLC0415  (an extra)
        PKCS1v15,
    )

    block: bytes = public_key.encrypt(text, PKCS1v15())
    return block


def says_ok(said: str) -> bool:
    """Whether an answer says that the vote was taken; v1 is never told."""
    try:
        answer = json.loads(said)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("status") == "ok"


def read_line(connection: socket.socket) -> str:
    """The greeting, without its end. Raises OSError where none comes."""
    came = b""
    while not came.endswith(b"\n"):
        more = connection.recv(1)
        if not more or len(came) > LONGEST:
            raise ConnectionError("it does not greet")
        came += more
    return came.decode("utf-8", "replace").strip()


def read_to_end(connection: socket.socket) -> str:
    came = b""
    while len(came) < LONGEST and (more := connection.recv(LONGEST)):
        came += more
    return came.decode("utf-8", "replace").strip()
