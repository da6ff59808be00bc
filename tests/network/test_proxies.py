"""A proxy on the way out: asked where the config says so, and never the reason for a hang or a leak."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.config.reading import read_config
from app.guerdon import Guerdon
from app.network.client import Http
from app.network.proxies import Proxy, make_proxy
from app.opening import list_proxy_secrets
from app.porch.errors import NetworkFailed
from app.testing.deliveries import post_vote
from app.testing.vote_api import VoteApi
from tests.network.test_tls import ANSWER, SecurePeer, make_certificate
from tests.world.forward_proxy import ForwardProxy

Open = Callable[..., Http]


@pytest.fixture
def forward_proxy() -> Iterator[ForwardProxy]:
    proxy = ForwardProxy()
    yield proxy
    proxy.close()


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecurePeer:
    """One by TLS that we trust."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return SecurePeer(certificate)


@pytest.fixture
def open_through() -> Iterator[Open]:
    """Open the way out through a proxy."""
    opened: list[Http] = []

    def open_one(proxy: ForwardProxy, *direct: str, user: str = "", password: str = "") -> Http:
        opened.append(Http(proxy=make_proxy(proxy.url, user, password, direct)))
        return opened[-1]

    yield open_one
    for http in opened:
        http.close()


def test_it_works(
    open_through: Open, forward_proxy: ForwardProxy, vote_api: VoteApi, peer: SecurePeer
) -> None:
    http = open_through(forward_proxy)

    plain = http.request("GET", f"{vote_api.url}/votes/v1")
    secure = http.request("GET", peer.url)

    assert (plain.status, json.loads(plain.body)["response"]["id"]) == (200, "v1")
    assert (secure.status, secure.body) == (200, b"hello")
    assert forward_proxy.asked == [
        f"GET {vote_api.url}/votes/v1 HTTP/1.1",
        f"CONNECT {peer.url.removeprefix('https://').rstrip('/')} HTTP/1.1",
    ]


def test_a_tunnel_is_kept_as_any_connection_is(
    open_through: Open, forward_proxy: ForwardProxy, peer: SecurePeer
) -> None:
    http = open_through(forward_proxy)

    for _ in range(5):
        assert http.request("GET", peer.url).body == b"hello"

    assert (len(forward_proxy.asked), peer.connections) == (1, 1)


def test_who_it_is_for_is_checked_at_the_end_of_the_tunnel(
    open_through: Open, forward_proxy: ForwardProxy, tmp_path: Path
) -> None:
    """A proxy that leads elsewhere gets nothing."""
    stranger = SecurePeer(make_certificate(tmp_path, "127.0.0.2"))

    with pytest.raises(NetworkFailed, match="no trusted TLS connection"):
        open_through(forward_proxy).request("GET", stranger.url)


def test_one_that_wants_a_password_gets_it(
    open_through: Open, vote_api: VoteApi, peer: SecurePeer
) -> None:
    forward_proxy = ForwardProxy("guerdon:a secret: ключ")
    http = open_through(forward_proxy, user="guerdon", password="a secret: ключ")

    assert http.request("GET", f"{vote_api.url}/votes/v1").status == 200
    assert http.request("GET", peer.url).status == 200
    stranger = open_through(forward_proxy, user="guerdon", password="another")
    for url in (
        f"{vote_api.url}/votes/v1",
        peer.url,
    ):  # no answer of theirs: a report goes on trying
        with pytest.raises(NetworkFailed, match=r"the proxy answered 407: see \[network\] proxy"):
            stranger.request("GET", url)
    forward_proxy.close()


def test_its_password_goes_to_no_destination(
    open_through: Open, forward_proxy: ForwardProxy, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    def listen(connection: Any) -> None:
        with peer.context.wrap_socket(connection, server_side=True) as tls:
            heard.append(tls.recv(65536))
            tls.sendall(ANSWER)

    certificate = make_certificate(tmp_path, "127.0.0.1")
    peer = SecurePeer(certificate, listen)
    http = open_through(forward_proxy, user="guerdon", password="hush-hush")
    http._trust = ssl.create_default_context(cafile=str(certificate))

    http.request("GET", peer.url)

    assert heard[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"Proxy-" not in heard[0]


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnever", "the proxy answered 403"),
        (b"HTTP/1.1 302 There\r\nLocation: http://x/\r\n\r\n", "the proxy answered 302"),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", "the proxy answered 204"),
        (b"SSH-2.0-x\r\n\r\n", "the exchange failed"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n", "the exchange failed"),
    ],
)
def test_a_refusal_is_told_and_nothing_is_sent_to_the_destination(
    open_through: Open, forward_proxy: ForwardProxy, peer: SecurePeer, refusal: bytes, reason: str
) -> None:
    forward_proxy.refusal = refusal

    with pytest.raises(NetworkFailed, match=reason):
        open_through(forward_proxy).request("GET", peer.url)
    assert peer.connections == 0


def test_one_that_says_nothing_costs_no_more_than_any_peer(
    open_through: Open, forward_proxy: ForwardProxy, peer: SecurePeer
) -> None:
    forward_proxy.refusal = b"HTTP/1.1 200"
    began = time.monotonic()

    with pytest.raises(NetworkFailed):
        open_through(forward_proxy).request("GET", peer.url, connect=0.3, total=10)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("host", "is_direct"),
    [
        ("localhost", True), ("LOCALHOST", True), ("localhost.", True), ("example.com", False),
        ("api.internal", True), ("a.b.internal", True), ("internal", True), ("notinternal", False),
        ("::1", True), ("127.0.0.1", False),
    ],
)  # fmt: skip
def test_some_hosts_need_no_proxy(host: str, is_direct: bool) -> None:
    proxy = Proxy("proxy", 3128, {}, ("localhost", ".Internal", "::1"))

    assert proxy.serves(host) is not is_direct


def test_a_direct_host_is_reached_without_it(
    open_through: Open, forward_proxy: ForwardProxy, vote_api: VoteApi
) -> None:
    http = open_through(forward_proxy, "127.0.0.1")

    assert http.request("GET", f"{vote_api.url}/votes/v1").status == 200
    assert forward_proxy.asked == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_vote_is_fetched_through_the_proxy_of_the_config(
    open_service: Callable[..., Guerdon],
    forward_proxy: ForwardProxy,
    vote_api: VoteApi,
) -> None:
    login = 'proxy_user = "u"\nproxy_password = "p-0123456789"'
    guerdon = open_service(
        more=f'[network]\nproxy = "{forward_proxy.url}"\n{login}\ndirect = ["none"]\n'
    )

    assert post_vote(guerdon, "v1").status_code == 204
    assert forward_proxy.asked == [f"GET {vote_api.url}/votes/v1 HTTP/1.1"]
    assert "p-0123456789" not in repr(guerdon.config)
    hidden = [secret.reveal() for secret in list_proxy_secrets(guerdon.config.network)]
    assert hidden == [
        "p-0123456789",
        "dTpwLTAxMjM0NTY3ODk=",
    ]  # what a page of the proxy's may quote


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ('proxy = "https://proxy"', "proxy: must be as http://host:port"),
        ('proxy = "http://proxy/path"', "proxy: must be as http://host:port"),
        ('proxy = "http://u:p@proxy"', "proxy: must be an address"),
        ('proxy_user = "u"\nproxy_password = "p"', "proxy_user: needs `proxy`"),
        ('proxy = "http://proxy"\nproxy_user = "u"', "proxy_user: wants both, or neither"),
        ('direct = ["x"]', "direct: needs `proxy`"),
    ],
)
def test_a_setting_that_cannot_work_is_named(tmp_path: Path, lines: str, fault: str) -> None:
    path = tmp_path / "guerdon.toml"
    path.write_text(f"[network]\n{lines}\n")

    assert any(f"[network] {fault}" in one for one in read_config(path)[1])
