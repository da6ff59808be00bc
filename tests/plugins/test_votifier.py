"""Votes by Votifier's protocols, over real connections: v1 by RSA, v2 by HMAC, and v2 over HTTP."""

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from app import create_app, write_rsa_key
from app.cli.main import main
from app.database.models import Event, Waiting
from app.guerdon import Guerdon
from app.listening.ports import Ports
from app.porch.errors import ConfigError
from app.porch.vote_packets import is_whole_packet, read_frame
from app.testing.books import read_books
from app.testing.players import add_player
from app.testing.ports import find_free_port

TOKEN, NOW = "a-token-of-votifier", 1_700_000_000
REWARDS = """
[[rules]]
name = "a vote"
on = "server.vote"
source = "votifier"
give = [{ reward = "gold", amount = "5.00" }]
"""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class List:
    """A list of servers as its documents have it, by no code of ours."""

    def __init__(self, port: int, public: str) -> None:
        self.port, self.address = port, "127.0.0.1"
        key = serialization.load_der_public_key(base64.b64decode(public))
        self._encrypt = lambda text: key.encrypt(text, PKCS1v15())  # type: ignore[union-attr]

    def connect(self) -> tuple[socket.socket, str]:
        """A client, and its challenge."""
        for _ in range(400):
            try:
                client = socket.create_connection(("127.0.0.1", self.port), 20, (self.address, 0))
            except ConnectionRefusedError:
                threading.Event().wait(0.05)
                continue
            greeting = client.makefile("rb").readline().decode()
            assert greeting.startswith("VOTIFIER 2 ")
            return client, greeting.split()[2]
        raise AssertionError("nobody listens")

    def make_block(self, name: str, at: Any = NOW, service: str = "List", end: str = "\n") -> bytes:
        text = "\n".join(["VOTE", service, name, "127.0.0.1", str(at)]) + end
        block: bytes = self._encrypt(text.encode())
        return block

    def vote_v1(self, name: str, **more: Any) -> bytes:
        client, _ = self.connect()
        with client:
            client.sendall(self.make_block(name, **more))
            return client.makefile("rb").read()

    def vote_v2(self, name: str, token: str = TOKEN, pieces: int = 1, **more: Any) -> Any:
        client, challenge = self.connect()
        with client:
            frame = make_frame(make_signed(name, token, **{"challenge": challenge, **more}))
            step = -(-len(frame) // pieces)
            for start in range(0, len(frame), step):
                client.sendall(frame[start : start + step])
            return json.loads(client.makefile("rb").read())


def make_signed(name: str, token: str = TOKEN, **more: Any) -> dict[str, str]:
    vote = {
        "serviceName": "List",
        "username": name,
        "address": "127.0.0.1",
        "timestamp": NOW * 1000,
    }
    payload = json.dumps({**vote, **more}, ensure_ascii=False)
    mac = hmac.digest(token.encode(), payload.encode(), hashlib.sha256)
    return {"payload": payload, "signature": base64.b64encode(mac).decode()}


def make_frame(body: Any, length: int | None = None) -> bytes:
    raw = json.dumps(body, ensure_ascii=False).encode()
    return struct.pack(">HH", 0x733A, len(raw) if length is None else length) + raw


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The private key's file, and the public key."""
    path = tmp_path_factory.mktemp("keys") / "votifier.pem"
    return path, write_rsa_key(path)


@pytest.fixture
def site(keys: tuple[Path, str]) -> List:
    return List(find_free_port(), keys[1])


@pytest.fixture
def guerdon(site: List, keys: tuple[Path, str], open_service: Any) -> Guerdon:
    section = f"""
[plugins.votifier]
bind = "127.0.0.1:{site.port}"
tokens = {{ default = "{TOKEN}", Other = "another-token" }}
private_key = {{ file = "{keys[0]}" }}
server = "1"
"""
    guerdon: Guerdon = open_service(REWARDS, section)
    add_player(guerdon, "Ann")
    return guerdon


@pytest.fixture
def listening(guerdon: Guerdon) -> Iterator[Ports]:
    ports = Ports(guerdon.plugins, guerdon.database, guerdon.receiver.receive)
    ports.open()
    yield ports
    ports.stop()


def read_events(guerdon: Guerdon) -> list[Any]:
    with guerdon.database.connection_context():
        return list(Event.select().order_by(Event.id))


def test_it_works(guerdon: Guerdon, listening: Ports, site: List) -> None:
    assert site.vote_v2("Ann") == {"status": "ok"}
    assert site.vote_v1("Ann") == b""

    assert read_books(guerdon).gold["Ann"] == "10.00"
    first, second = read_events(guerdon)
    assert (first.occurred_at, second.occurred_at) == (NOW * 1000, None)
    assert (first.server_id, first.token, second.token) == ("1", "default", "v1 public key")
    assert json.loads(first.data) == {"site": "List"}, "the voter's address is not kept"


@on_sqlite
def test_a_vote_that_is_sent_again_is_known_and_ok(
    guerdon: Guerdon, listening: Ports, site: List
) -> None:
    """As a proxy does whose answer was lost, with a new challenge."""
    for _ in range(3):
        assert site.vote_v2("Ann") == {"status": "ok"}
        site.vote_v1("Ann")
    assert site.vote_v2("Ann", timestamp=NOW * 1000 + 1) == {"status": "ok"}
    assert site.vote_v2("Ann", additionalData="eA==") == {"status": "ok"}

    assert len(read_events(guerdon)) == 4


@on_sqlite
def test_a_vote_for_nobody_is_kept_and_ok(guerdon: Guerdon, listening: Ports, site: List) -> None:
    assert site.vote_v2("Nobody") == {"status": "ok"}
    with guerdon.database.connection_context():
        assert Waiting.get().state == "ready"


@on_sqlite
@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"token": "a-wrong-token"}, "BadSignature"),
        ({"challenge": "an-old-one"}, "BadSignature"),
        ({"challenge": None}, "BadDelivery"),
        ({"serviceName": None}, "BadDelivery"),
        ({"username": None}, "BadDelivery"),
        ({"serviceName": "other"}, "BadSignature"),  # which has a token of its own
    ],
    ids=str,
)
def test_what_is_not_right_is_said_and_pays_nothing(
    guerdon: Guerdon, listening: Ports, site: List, more: dict[str, Any], cause: str
) -> None:
    told = site.vote_v2("Ann", **more)

    assert (told["status"], told["cause"]) == ("error", cause)
    assert read_events(guerdon) == []


@on_sqlite
def test_a_service_has_its_own_token_whatever_its_letters(
    guerdon: Guerdon, listening: Ports, site: List
) -> None:
    assert site.vote_v2("Ann", token="another-token", serviceName="OTHER") == {"status": "ok"}


@on_sqlite
def test_frames_come_in_pieces_and_say_too_short_a_length(
    guerdon: Guerdon, listening: Ports, site: List
) -> None:
    add_player(guerdon, "Ünï")
    assert site.vote_v2("Ann", pieces=40) == {"status": "ok"}
    client, challenge = site.connect()
    signed = make_signed("Ünï", challenge=challenge)
    letters = len(json.dumps(signed, ensure_ascii=False))
    frame = make_frame(signed, letters)
    with client:
        client.sendall(frame[: 4 + letters])
        threading.Event().wait(0.05)
        client.sendall(frame[4 + letters :])
        assert json.loads(client.makefile("rb").read()) == {"status": "ok"}

    assert [event.nickname for event in read_events(guerdon)] == ["Ann", "Ünï"]


@on_sqlite
def test_v1_reads_names_of_other_letters_and_lines_without_the_last_end(
    guerdon: Guerdon, listening: Ports, site: List
) -> None:
    add_player(guerdon, "Ünï")
    site.vote_v1("Ünï", end="")
    site.vote_v2("Ann", timestamp="2021-02-24 12:45:35 -0600")

    assert [one.nickname for one in read_events(guerdon)] == ["Ünï", "Ann"]
    assert read_events(guerdon)[1].occurred_at == 1_614_192_335_000


@on_sqlite
def test_blocks_that_are_no_votes_pay_nothing(
    guerdon: Guerdon, listening: Ports, site: List, tmp_path: Path
) -> None:
    other = List(site.port, write_rsa_key(tmp_path / "other.pem"))
    blocks = [
        b"\0" * 256, other.make_block("Ann"), site._encrypt(b"TEST\na\nAnn\nb\n1\n"),
        site._encrypt(b"VOTE\na\nAnn\n1\n"), site._encrypt(b"VOTE\na\nAnn\nb\n1\n2\n3"),
        site.make_block("Ann") + b"x" * 5000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
        b"\x16\x03\x01" + b"\0" * 300, b"s:\x00\x02{}", b"s:\x00\x04null",
    ]  # fmt: skip
    for block in blocks:
        client, _ = site.connect()
        with client, suppress(OSError):  # it may have hung up by now
            client.sendall(block)
            client.shutdown(socket.SHUT_WR)
            client.makefile("rb").read()
    assert read_events(guerdon) == []
    site.vote_v1("Ann")
    assert len(read_events(guerdon)) == 1


@on_sqlite
def test_over_http_there_is_no_challenge(guerdon: Guerdon, site: List) -> None:
    client = create_app(guerdon).test_client()
    for _ in range(2):
        response = client.post("/webhooks/votifier", json=make_signed("Ann"))
        assert (response.status_code, response.get_json()) == (200, {"status": "ok"})
    block = base64.b64encode(site.make_block("Ann"))
    assert (
        client.post("/webhooks/votifier", data=block, content_type="text/plain").status_code == 200
    )
    assert len(read_events(guerdon)) == 2

    for body, kind in (
        (b"{}", "application/json"),
        (b"!", "text/plain"),
        (block[:-8], "text/plain"),
    ):
        response = client.post("/webhooks/votifier", data=body, content_type=kind)
        assert (response.status_code, response.get_json()["status"]) == (400, "error")


@on_sqlite
def test_v1_is_taken_from_those_who_may(
    site: List, keys: tuple[Path, str], open_service: Any
) -> None:
    section = f'[plugins.votifier]\nprivate_key = {{ file = "{keys[0]}" }}\nallow = ["192.0.2.7"]\n'
    guerdon = open_service(REWARDS, section)
    add_player(guerdon, "Ann")
    client = create_app(guerdon).test_client()
    block = base64.b64encode(site.make_block("Ann"))

    def post(address: str) -> int:
        environ = {"REMOTE_ADDR": address}
        return int(
            client.post(
                "/webhooks/votifier", data=block, content_type="text/plain", environ_base=environ
            ).status_code
        )

    assert (post("127.0.0.1"), post("192.0.2.7")) == (400, 200)


@on_sqlite
def test_a_cooldown_is_of_each_list(site: List, open_service: Any) -> None:
    section = f'[plugins.votifier]\ntokens = {{ default = "{TOKEN}" }}\ncooldown = 3600\n'
    guerdon = open_service(REWARDS, section)
    add_player(guerdon, "Ann")
    client = create_app(guerdon).test_client()
    for number, service in enumerate(("A", "B", "A")):
        body = make_signed("Ann", serviceName=service, timestamp=NOW + number)
        assert client.post("/webhooks/votifier", json=body).status_code == 200

    assert read_books(guerdon).gold["Ann"] == "10.00"


@on_sqlite
def test_a_forger_of_v1_cannot_write_himself_out_of_the_cooldown(
    site: List, keys: tuple[Path, str], open_service: Any
) -> None:
    """Who has the public key writes what times he likes: his votes count when they come."""
    section = f'[plugins.votifier]\nprivate_key = {{ file = "{keys[0]}" }}\ncooldown = 3600\n'
    guerdon = open_service(REWARDS, section)
    add_player(guerdon, "Ann")
    client = create_app(guerdon).test_client()
    for day in range(5):
        block = base64.b64encode(site.make_block("Ann", at=NOW - day * 86_400))
        client.post("/webhooks/votifier", data=block, content_type="text/plain")

    assert len(read_events(guerdon)) == 5
    assert read_books(guerdon).gold["Ann"] == "5.00"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_wrong_with_the_config_is_said(open_service: Any) -> None:
    with pytest.raises(ConfigError) as told:
        open_service(
            REWARDS, '[plugins.votifier]\nprivate_key = "none"\nbind = "8192"\ncooldown = -1\n'
        )

    said = str(told.value)
    assert "[plugins.votifier] private_key: is no private key of RSA, in PEM or base64" in said
    assert "bind" in said
    assert "cooldown" in said


@on_sqlite
def test_the_command_makes_a_key_that_its_owner_alone_may_read(
    guerdon: Guerdon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUERDON_CONFIG", str(guerdon.config.path))
    path = tmp_path / "new.pem"
    made = CliRunner().invoke(main, ["votifier", "keys", str(path)])
    again = CliRunner().invoke(main, ["votifier", "keys", str(path)])

    assert (made.exit_code, path.stat().st_mode & 0o777) == (0, 0o600)
    serialization.load_der_public_key(base64.b64decode(made.output))
    assert again.exit_code == 1
    assert "cannot be made: File exists" in again.output


def test_vectors_of_the_protocol() -> None:
    """Token `test`, challenge `abc123`: signature and frame as other implementations make them."""
    vote = {"serviceName": "Test", "username": "test", "address": "127.0.0.1",
            "timestamp": "1700000000000", "challenge": "abc123"}  # fmt: skip
    payload = json.dumps(vote, separators=(",", ":"))
    mac = base64.b64encode(hmac.digest(b"test", payload.encode(), "sha256")).decode()
    assert mac == "a9C7ps8ru6E3OQsKlAXF8lZw1pmduCvUrcIomfbBrJo="
    body = json.dumps({"payload": payload, "signature": mac}, separators=(",", ":")).encode()
    frame = bytes.fromhex("733a00cc") + body
    digest = "7e2ddcdb8eb8eccc9336301ad49f61ab2af6c4a0d78d5c3ce8efaf1489ae5e6a"
    assert hashlib.sha256(frame).hexdigest() == digest

    assert read_frame(frame) == {"payload": payload, "signature": mac}
    assert is_whole_packet(frame)
    assert not any(is_whole_packet(frame[:length]) for length in range(len(frame)))


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)  # of TLS
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
NOISE = (HELLO, REQUEST, HELLO[:50], b"")  # then it hangs up


def flood(port: int, flooded: list[int], over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(NOISE[len(flooded) % len(NOISE)])
        flooded.append(1)


@on_sqlite
def test_votes_come_through_two_thousand_who_are_silent_and_a_flood(
    guerdon: Guerdon, site: List, start_gunicorn: Any
) -> None:
    """While it goes on, v1 and v2; a line of the log for each worker and minute, not one for each of them."""
    began = time.monotonic()
    server = start_gunicorn(guerdon.config.path, workers=2)
    site.connect()[0].close()
    silent = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(2000)]
    for client in silent[1000:1500]:
        with suppress(OSError):
            client.sendall(HELLO[:200])  # and no more
    site.address = "127.0.0.2"  # the list is somebody else
    flooded: list[int] = []
    over, votes = threading.Event(), 0
    with ThreadPoolExecutor(2) as threads:
        try:
            for _ in range(2):
                threads.submit(flood, site.port, flooded, over)
            while votes < 20 or len(flooded) < 600:
                assert site.vote_v2("Ann", timestamp=votes) == {"status": "ok"}
                site.vote_v1("Ann", at=votes + 1)
                votes += 2
        finally:
            over.set()
    for client in silent:
        client.close()

    assert len(read_events(guerdon)) == votes
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if "votifier" in line]
    told = [line for line in lines if line["level"] not in ("debug", "info")]
    assert {line["event"] for line in told} == {"refused"}
    assert 1 <= len(told) <= 2 * (1 + (time.monotonic() - began) // 60)
