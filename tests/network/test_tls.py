"""The way out by TLS: whom it trusts, and that no deadline is missed, however the other side drips."""

import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.network.client import Http
from app.porch.errors import NetworkFailed
from tests.world.servers import ROOT

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def make_certificate(folder: Path, name: str, days: float = 1) -> Path:
    """A key and a certificate for this IP address, signed by itself, for so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class SecurePeer:
    """Answers every request by TLS, or hands its raw connections to `talk`."""

    def __init__(self, certificate: Path, talk: Callable[[Any], None] | None = None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.connections = 0
        self.talk = talk or self.answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection = self.listener.accept()[0]
                self.connections += 1
                threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.talk(connection)

    def answer(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as tls:
            while tls.recv(65536):
                tls.sendall(ANSWER)

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SecurePeer]]:
    """Start a peer; its certificate, for 127.0.0.1, is trusted."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    peers: list[SecurePeer] = []

    def start(talk: Any = None, shown: Path = certificate) -> SecurePeer:
        peers.append(SecurePeer(shown, talk))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


def test_it_works(http: Http, serve: Callable[..., SecurePeer]) -> None:
    peer = serve()

    for _ in range(3):
        assert http.request("GET", peer.url).body == b"hello"
    assert peer.connections == 1


def end_politely(tls: ssl.SSLSocket) -> None:
    tls.unwrap()


def end_without_a_word(tls: ssl.SSLSocket) -> None:
    socket.socket(fileno=tls.detach()).close()


def reset(tls: ssl.SSLSocket) -> None:
    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end_without_a_word(tls)


@pytest.mark.parametrize("end", [end_politely, end_without_a_word, reset])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_breaks_is_asked_anew_only_for_what_may_be_asked_twice(
    method: str, end: Callable[..., None], http: Http, serve: Callable[..., SecurePeer]
) -> None:
    peer = serve()
    asked = []

    def end_at_the_second(connection: socket.socket) -> None:
        is_first = peer.connections == 1
        with peer.context.wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(65536):
                asked.append(data)
                if is_first and len(asked) == 2:
                    end(tls)
                    break
                tls.sendall(ANSWER)

    peer.talk = end_at_the_second
    http.request(method, peer.url)

    if method == "GET":
        assert http.request("GET", peer.url).body == b"hello"
        assert (peer.connections, len(asked)) == (2, 3)
    else:
        with pytest.raises(NetworkFailed):
            http.request("POST", peer.url)
        assert (peer.connections, len(asked)) == (1, 2)


@pytest.mark.parametrize("fault", ["by nobody we trust", "for another host"])
def test_a_certificate_must_be_trusted_and_for_this_host(
    fault: str,
    http: Http,
    serve: Callable[..., SecurePeer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = make_certificate(tmp_path, "127.0.0.2")
    if fault == "for another host":
        monkeypatch.setenv("SSL_CERT_FILE", str(shown))

    with pytest.raises(NetworkFailed, match="no trusted TLS connection"):
        http.request("GET", serve(shown=shown).url)


def drip(connection: socket.socket, data: bytes) -> None:
    for place in range(len(data)):
        connection.sendall(data[place : place + 1])
        time.sleep(0.3)


def drip_handshake(connection: socket.socket) -> None:
    drip(connection, b"\x16\x03\x03\x40\x00" + b"\x02" * 100)


def drip_answer(context: ssl.SSLContext, connection: socket.socket) -> None:
    """A handshake at full speed, then an answer's record byte by byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    is_asked = False
    while not is_asked:
        try:
            is_asked = bool(tls.read(65536))
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
    tls.write(ANSWER)
    drip(connection, outgoing.read())


ASK = """
import sys
if sys.argv[2] == "gevent":
    from gevent import monkey
    monkey.patch_all()
import time
from app.porch.errors import NetworkFailed
from app.network.client import Http
begun = time.monotonic()
try:
    Http().request("GET", sys.argv[1], connect=1.0, total=1.0)
except NetworkFailed as error:
    print(error, round(time.monotonic() - begun, 1))
"""


@pytest.mark.parametrize("world", ["threads", "gevent"])
@pytest.mark.parametrize("what", ["the handshake", "the answer"])
def test_it_ends_in_time_however_it_drips(
    what: str, world: str, serve: Callable[..., SecurePeer]
) -> None:
    """In a process of its own, for the workers' sockets are gevent's, which count time otherwise."""
    peer = serve(drip_handshake)
    if what == "the answer":
        peer.talk = lambda connection: drip_answer(peer.context, connection)

    command = [sys.executable, "-c", ASK, peer.url, world]
    told = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert told.stdout.startswith(("no answer in time", "no whole answer within 1 s")), told
    assert 0.9 <= float(told.stdout.split()[-1]) < 3
