"""The way out, against real sockets that misbehave."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from app.network.client import Http
from app.network.exchange import is_quiet
from app.porch.errors import NetworkFailed
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until

OK = b"HTTP/1.1 200 OK\r\n"


class Peer:
    """Each connection runs `talk(connection, number)`; `requests` keeps what came in."""

    def __init__(self, talk: Callable[["Peer", socket.socket, int], None]) -> None:
        self.talk = talk
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: list[socket.socket] = []
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            if self.ended.is_set():
                return connection.close()
            self.connections += 1
            self.open.append(connection)
            self.threads.append(threading.Thread(target=self.run, args=(connection,)))
            self.threads[-1].start()

    def run(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.talk(self, connection, self.connections)

    def read(self, connection: socket.socket) -> bytes:
        """One request with its body; b"" when the other side has hung up."""
        raw = b""
        while b"\r\n\r\n" not in raw:
            more = connection.recv(65536)
            if not more:
                return b""
            raw += more
        head, _, body = raw.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def close(self) -> None:
        self.ended.set()
        with socket.create_connection(self.listener.getsockname()):
            self.threads[0].join()
        self.listener.close()
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()


Serve = Callable[..., Peer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a peer of a talk, or of bytes: it answers every request with them."""
    peers: list[Peer] = []

    def start(talk: Any, *, close: bool = False) -> Peer:
        def repeat(peer: Peer, connection: socket.socket, number: int) -> None:
            while peer.read(connection):
                connection.sendall(talk)
                if close:
                    return

        peers.append(Peer(repeat if isinstance(talk, bytes) else talk))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


def length(body: bytes, *headers: bytes) -> bytes:
    lines = [b"Content-Length: %d" % len(body), *headers]
    return OK + b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_it_works(http: Http, serve: Serve) -> None:
    peer = serve(length(b"hello", b"X-Word: yes"))

    answer = http.request("GET", f"{peer.url}/votes/1")
    http.request("POST", f"{peer.url}/report", body=b"{}", headers={"X-Key": "1"})

    assert (answer.status, answer.body, answer.headers["x-word"]) == (200, b"hello", "yes")
    assert peer.requests[0].startswith(b"GET /votes/1 HTTP/1.1\r\n")
    assert peer.requests[1].startswith(b"POST /report HTTP/1.1\r\n")
    assert b"X-Key: 1\r\n" in peer.requests[1]
    assert peer.requests[1].endswith(b"\r\n\r\n{}")


def test_a_connection_is_kept_and_used_again(http: Http, serve: Serve) -> None:
    peer = serve(length(b"x"))

    for _ in range(5):
        http.request("GET", peer.url)

    assert (len(peer.requests), peer.connections) == (5, 1)


@pytest.mark.parametrize(
    "answer", [length(b"x") + length(b"unasked"), length(b"x", b"Connection: close")]
)
def test_a_connection_that_is_done_or_that_says_too_much_is_not_used_again(
    http: Http, serve: Serve, answer: bytes
) -> None:
    peer = serve(answer)

    for _ in range(3):
        assert http.request("GET", peer.url).body == b"x"

    assert (len(peer.requests), peer.connections) == (3, 3)


def test_nobody_listens(http: Http) -> None:
    with pytest.raises(NetworkFailed, match=r"^no connection$"):
        http.request("GET", f"http://127.0.0.1:{find_free_port()}/?key=secret")


def test_a_host_that_never_takes_the_connection_costs_the_connect_time(http: Http) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = [socket.socket() for _ in range(4)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        begun = time.monotonic()

        with pytest.raises(NetworkFailed, match="no connection in time"):
            http.request("GET", f"http://127.0.0.1:{full.getsockname()[1]}", connect=0.3, total=9)

        assert 0.2 < time.monotonic() - begun < 8
        for one in queued:
            one.close()


def test_a_name_that_does_not_resolve_and_tls_that_is_none(http: Http, serve: Serve) -> None:
    peer = serve(length(b"x"))
    for url in ("http://no-such-host.invalid/", peer.url.replace("http:", "https:")):
        with pytest.raises(NetworkFailed):
            http.request("GET", url, connect=2, total=2)


DRIPS = {
    "nothing at all": (b"", b""),
    "the status line": (b"HTTP/1.1 200 O", b"K"),
    "headers": (OK, b"a"),
    "one header after the other": (OK, b"A: b\r\n"),
    "a row of 100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body of known length": (OK + b"Content-Length: 1000\r\n\r\n", b"x"),
    "a body in chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a chunk's length": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "a body that ends with the connection": (OK + b"\r\n", b"x"),
    "a compressed body": (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x")[:10], b"\0"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_the_whole_answer_must_come_in_time_however_it_drips(
    name: str, http: Http, serve: Serve
) -> None:
    head, drop = DRIPS[name]

    def drip(peer: Peer, connection: socket.socket, number: int) -> None:
        peer.read(connection)
        connection.sendall(head)
        while not peer.ended.wait(0.05):
            connection.sendall(drop)

    peer = serve(drip)
    begun = time.monotonic()

    with pytest.raises(NetworkFailed, match=r"no whole answer within 0\.4 s|no answer in time"):
        http.request("GET", peer.url, total=0.4)

    assert time.monotonic() - begun < 30  # it would drip for ever
    assert len(peer.requests) == 1


def test_the_deadline_of_one_exchange_does_not_end_the_next(http: Http, serve: Serve) -> None:
    def talk(peer: Peer, connection: socket.socket, number: int) -> None:
        peer.read(connection)
        connection.sendall(length(b"quick"))
        peer.read(connection)
        time.sleep(0.8)
        connection.sendall(length(b"slow"))

    peer = serve(talk)

    assert http.request("GET", peer.url, total=0.3).body == b"quick"
    assert http.request("GET", peer.url, total=5).body == b"slow"
    assert peer.connections == 1


BIG = b"\0" * 10_000_000


def in_chunks(body: bytes, *headers: bytes) -> bytes:
    head = b"\r\n".join([OK + b"Transfer-Encoding: chunked", *headers])
    return head + b"\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"


ENCODED = b"Content-Encoding: "
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "of known length": length,
    "in chunks": in_chunks,
    "until the end": lambda body: OK + b"\r\n" + body,
    "gzip": lambda body: length(gzip.compress(body), ENCODED + b"gzip"),
    "gzip in chunks": lambda body: in_chunks(gzip.compress(body), ENCODED + b"gzip"),
    "deflate": lambda body: length(zlib.compress(body), ENCODED + b"deflate"),
    "gzip twice": lambda body: length(gzip.compress(gzip.compress(body)), ENCODED + b"gzip, gzip"),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_of_exactly_the_limit_is_whole_and_one_byte_more_is_refused(
    name: str, http: Http, serve: Serve
) -> None:
    write = FORMS[name]

    peer = serve(write(b"x" * 1000), close=True)
    assert http.request("GET", peer.url, limit=1000).body == b"x" * 1000
    for body in (b"x" * 1001, BIG):
        peer = serve(write(body), close=True)
        with pytest.raises(NetworkFailed, match="the answer is longer than 1000 bytes"):
            http.request("GET", peer.url, limit=1000)
        assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, http: Http, serve: Serve) -> None:
    target = serve(length(b"caught"))
    line = b"HTTP/1.1 %d Moved\r\nContent-Length: 0\r\nLocation: " % status
    peer = serve(line + target.url.encode() + b"/\r\n\r\n")

    assert http.request("GET", peer.url).status == status
    assert target.connections == 0


def test_a_kept_connection_that_is_closed_meanwhile_costs_nothing(http: Http, serve: Serve) -> None:
    peer = serve(length(b"x"), close=True)

    for method in ("GET", "POST", "GET"):
        assert http.request(method, peer.url).body == b"x"
        wait_until(lambda: not any(map(is_quiet, *http._kept.values())))

    assert (peer.connections, len(peer.requests)) == (3, 3)


def close_on_second(peer: Peer, connection: socket.socket, number: int) -> None:
    """The first connection is closed just as it is used again."""
    peer.read(connection)
    connection.sendall(length(b"x"))
    peer.read(connection)
    if number > 1:
        connection.sendall(length(b"y"))


def test_a_get_whose_kept_connection_breaks_is_asked_anew(http: Http, serve: Serve) -> None:
    peer = serve(close_on_second)
    http.request("GET", peer.url)

    assert http.request("GET", peer.url).body == b"x"
    assert (peer.connections, len(peer.requests)) == (2, 3)


def test_a_post_is_never_sent_twice(http: Http, serve: Serve) -> None:
    peer = serve(close_on_second)
    http.request("POST", peer.url, body=b"1")

    with pytest.raises(NetworkFailed):
        http.request("POST", peer.url, body=b"2")
    assert [request[-1:] for request in peer.requests] == [b"1", b"2"]


GARBAGE = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "a broken status": b"HTTP/1.1 abc OK\r\n\r\n",
    "too many headers": OK + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n",
    "an endless header": OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n",
    "a short body": OK + b"Content-Length: 10\r\n\r\nxyz",
    "a broken chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
    "a chunk cut short": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\nx",
    "no gzip": length(b"not gzip at all", ENCODED + b"gzip"),
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_a_failure_in_words_that_give_nothing_away(
    name: str, http: Http, serve: Serve
) -> None:
    peer = serve(GARBAGE[name], close=True)

    for _ in range(2):
        with pytest.raises(NetworkFailed) as caught:
            http.request("GET", f"{peer.url}/?key=secret")
        assert "secret" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
    assert len(peer.requests) <= 4
    assert http.request("GET", serve(length(b"well")).url).body == b"well"


def test_what_nobody_asked_for_is_never_taken_for_an_answer(http: Http, serve: Serve) -> None:
    def talk(peer: Peer, connection: socket.socket, number: int) -> None:
        while request := peer.read(connection):
            connection.sendall(length(request.split()[1]))
            time.sleep(0.1)
            connection.sendall(length(b"stale"))

    peer = serve(talk)

    for number in range(3):
        assert http.request("GET", f"{peer.url}/{number}").body == b"/%d" % number
        time.sleep(0.3)


def test_connections_that_have_ended_are_let_go(http: Http, serve: Serve) -> None:
    together = threading.Barrier(10)

    def talk(peer: Peer, connection: socket.socket, number: int) -> None:
        peer.read(connection)
        if number <= 10:
            together.wait(10)
        connection.sendall(length(b"x"))

    peer = serve(talk)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: http.request("GET", peer.url), range(10)))
    [kept] = http._kept.values()
    assert len(kept) == 10
    # A socket of the peer's has no number already when its end is still on its way to us.
    wait_until(lambda: not any(map(is_quiet, kept)))

    assert http.request("GET", peer.url).body == b"x"

    assert len(kept) == 1


def test_a_head_has_no_body_to_wait_for(http: Http, serve: Serve) -> None:
    peer = serve(OK + b"Content-Length: 1000\r\n\r\n")

    assert http.request("HEAD", peer.url, total=5).body == b""


def test_it_says_who_it_is_unless_its_caller_does(http: Http, serve: Serve) -> None:
    peer = serve(length(b"x"))

    http.request("GET", peer.url)
    http.request("GET", peer.url, headers={"user-agent": "Studio", "X-Number": 7})  # type: ignore[dict-item]

    assert b"User-Agent: Guerdon\r\n" in peer.requests[0]
    assert b"Guerdon" not in peer.requests[1]
    assert b"X-Number: 7\r\n" in peer.requests[1]


ODD = ["http://[fe80::abcd]/", "https://[2001:db8::1]/", "ftp://x/", "http:///", "http://x:99999/"]


@pytest.mark.parametrize("url", ODD)
def test_an_odd_address_is_a_failure_as_any(url: str, http: Http) -> None:
    with pytest.raises(NetworkFailed):
        http.request("GET", url, total=0.5)


def test_no_line_is_smuggled_into_a_request(http: Http, serve: Serve) -> None:
    peer = serve(length(b"x"))

    for headers in ({"X": "1\r\nY: 2"}, {"X\r\nY": "1"}, {"X Y": "1"}):
        with pytest.raises(NetworkFailed):
            http.request("GET", peer.url, headers=headers)
    http.request("GET", f"{peer.url}/a b\u20ac?c=\u00fc")

    [request] = peer.requests
    assert request.startswith(b"GET /a%20b%E2%82%AC?c=%C3%BC HTTP/1.1\r\n")


def test_nothing_leaves_for_anybody_but_those_named(serve: Serve) -> None:
    """`only_to` is about who is connected to, however the address is written."""
    named, other = serve(length(b"x")), serve(length(b"x"))
    http = Http([f"{named.url}/some/path"])
    port = named.url.rpartition(":")[2]

    assert http.request("GET", f"{named.url}/anything").status == 200
    for url in (other.url, f"http://127.0.0.1:{port}@127.0.0.1:{other.url.rpartition(':')[2]}",
                f"http://127.0.0.1:{port}0/", f"https://127.0.0.1:{port}"):  # fmt: skip
        with pytest.raises(NetworkFailed, match=r"nothing is sent to .*: see \[network\] only_to"):
            http.request("POST", url, body=b"secret")
    http.close()
    assert (named.connections, other.connections) == (1, 0)
