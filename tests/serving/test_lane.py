"""The lane and gunicorn's own way: whatever comes, they answer the same, do the same, and keep the same."""

import random
import socket
import time

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

from app.serving.lane import (
    LaneParser,
    PlainRequest,
    describe_connection,
    has_lane,
    read_plain,
)
from app.serving.patience import Patience
from app.testing.deliveries import API_KEY, make_delivery
from app.testing.waiting import wait_until
from tests.network.test_raw_sockets import Service
from tests.serving.conftest import PROBE, ask, list_paid

TRIES = 700
PLAIN_AT_LEAST = 105  # of them
HEADERS = [
    b"Connection: keep-alive", b"Connection: close", b"Connection: upgrade", b"Expect: 100-continue",
    b"Expect: magic", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"TE: trailers",
    b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Trailer: X", b"Content-Length: 5",
    b"Content-Length : 5", b"content-length: +5", b"Content-Length: 0x5", b"Host: y", b"Host:", b"X-A: 1",
    b"x-a: 2", b"X_A: 3", b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Proto: https", b"SCRIPT_NAME: /v1",
    b"X-B:\t spaced \t", b"X-C: caf\xe9", b"X-D: \1", b"X-E: a\0b", b": nameless", b"colonless", b" folded",
    b"X-F: " + b"f" * 9000, b"Content-Type: text/plain", b"Content-Type: application/json", b"Keep-Alive: 1",
    b"Cookie: a=b", b"Authorization: Bearer " + API_KEY.encode(), b"X-G: " + b"a b " * 500,
]  # fmt: skip
PATHS = [
    b"/webhooks/gamemonitoring", b"/webhooks/gamemonitoring/", b"/webhooks/gamemonitoring?a=b",
    b"/webhooks/nobody", b"/webhooks/", b"//webhooks/gamemonitoring", b"/webhooks/%67amemonitoring",
    b"/webhooks/../webhooks/gamemonitoring", b"/v1/claims/lease", b"/webhooks/gamemonitoring#x",
    b"http://x/webhooks/gamemonitoring", b"*", b"x:80", b"/webhooks/gamemonitoring?%zz&=", b"/w\xff", b"",
    b"/" + b"a" * 600, b"/healthz?" + b"q" * 5000,
]  # fmt: skip
METHODS = [b"POST"] * 5 + [b"GET", b"post", b"PUT", b"POST ", b"PO", b"OPTIONS", b"HEAD"]
VERSIONS = [b"HTTP/1.1"] * 5 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 "]
HOSTS = [b"Host: x"] * 6 + [
    b"host:x:80",
    b"Host:",
    b"Host: a b",
    b"HOST: \t",
    b"Hosts: x",
    b"Host: [::1]:8000",
]
LENGTHS = [b"Content-Length: %d"] * 6 + [
    b"content-length:%05d", b"CONTENT-LENGTH:\t%d ", b"Content-Length: %d,%d", b"Content-Length: %d.0",
    b"Content-Length: 1%d", b"Content-Length: -%d", b"Content-Lengths: %d",
]  # fmt: skip
BREAKS = [b"\r\n"] * 9 + [b"\n", b"\r"]


class Talker:
    """Makes up what somebody sends: the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.number = 0

    def write(self) -> bytes:
        """Some requests in one go; most are one, and most of these are deliveries."""
        several = self._random.choice([1] * 8 + [2, 3])
        return b"".join(self._write_one() for _ in range(several)) + PROBE

    def split(self, said: bytes) -> list[bytes]:
        """As it arrives: at once, or in two pieces."""
        cut = self._random.randrange(1, len(said))
        return [said] if self._random.random() < 0.7 else [said[:cut], said[cut:]]

    def _write_one(self) -> bytes:
        pick, self.number = self._random.choice, self.number + 1
        body = pick(
            [make_delivery(f"v{self.number}")] * 6 + [make_delivery("v1"), b"{}", b"", b"x" * 9000]
        )
        is_odd = self._random.random() < 0.5
        method, version = (pick(METHODS), pick(VERSIONS)) if is_odd else (b"POST", b"HTTP/1.1")
        path = pick(PATHS) if self._random.random() < 0.4 else PATHS[0]
        host, length = (pick(HOSTS), pick(LENGTHS)) if is_odd else (HOSTS[0], LENGTHS[0])
        headers = [host, length % ((len(body),) * length.count(b"%"))]
        headers += self._random.sample(HEADERS, pick([0, 0, 0, 1, 2])) if is_odd else []
        self._random.shuffle(headers)
        end = pick(BREAKS) if is_odd else b"\r\n"
        head = end.join([b" ".join([method, path, version]), *headers]) + end * 2
        return self._spoil(head) + body if self._random.random() < 0.2 else head + body

    def _spoil(self, head: bytes) -> bytes:
        """With one byte another."""
        place = self._random.randrange(len(head))
        return head[:place] + bytes([self._random.randrange(256)]) + head[place + 1 :]


def test_it_works(ways: dict[str, Service]) -> None:
    body = make_delivery("first")
    head = b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    said = head % len(body) + body

    plain = read_plain(said + PROBE, {})
    answers = {name: ask(service, [said + PROBE]) for name, service in ways.items()}

    assert plain is not None
    assert (plain[0].body, plain[1]) == (body, PROBE)
    assert answers["lane"].startswith(b"HTTP/1.1 204 NO CONTENT\r\nServer: gunicorn\r\n")
    assert answers["lane"] == answers["gunicorn"]


@pytest.mark.parametrize("seed", range(7))
def test_both_ways_answer_do_and_keep_the_same(seed: int, ways: dict[str, Service]) -> None:
    talker = Talker(seed)
    plain = 0
    for _ in range(TRIES // 7):
        said = talker.write()
        pieces = talker.split(said)
        plain += read_plain(pieces[0], {}) is not None

        answers = {name: ask(service, pieces) for name, service in ways.items()}

        assert answers["lane"] == answers["gunicorn"], said
    assert plain >= PLAIN_AT_LEAST // 7
    wait_until(lambda: list_paid(ways["lane"]) == list_paid(ways["gunicorn"]))
    assert len(list_paid(ways["lane"])) > plain // 4


def make_config() -> Config:
    """gunicorn's settings, with those of ours that a lane needs."""
    cfg = Config()
    cfg.set("secure_scheme_headers", {})
    cfg.set("forwarder_headers", "")
    return cfg


def test_the_app_is_told_the_same() -> None:
    """The environ of a plain request has all that gunicorn's has, but its hints for browsers."""
    cfg, address, name = make_config(), ("10.1.2.3", 4567), ("127.0.0.1", 8000)
    said = (
        b"POST /webhooks/a-b.c/d?e=f&g HTTP/1.1\r\nhost: x:1\r\nContent-LENGTH:3\r\nX-A:\t b c \r\n"
        b"Content-Type: text/x\r\nX-Empty:\r\n\r\nabcdef"
    )
    mine, theirs = socket.socketpair()
    with mine, theirs:
        theirs.sendall(said)
        plain = next(LaneParser(cfg, mine, address))
        theirs.sendall(said)
        long = next(RequestParser(cfg, mine, address))
        long.proxy_protocol_info = None
        _, expected = create(long, mine, address, name, cfg)
        plain.known.update(describe_connection(cfg, mine, address, name))
        environ = plain.make_environ()

    assert isinstance(plain, PlainRequest)
    assert environ.pop("wsgi.input").read() == expected.pop("wsgi.input").read(3) == b"abc"
    assert environ.pop("wsgi.multithread")
    assert not expected.pop("wsgi.multithread")  # the worker says otherwise later
    del expected["wsgi.early_hints"], environ["wsgi.errors"], expected["wsgi.errors"]
    assert environ == expected


@pytest.mark.parametrize("arguments", [
    "--access-logfile -", "--keep-alive 0", "--proxy-protocol auto", "--forwarder-headers X_A",
    "--certfile c --keyfile k", "--statsd-host localhost:8125", "--limit-request-fields 3",
    "--limit-request-line 100", "--header-map refuse",
])  # fmt: skip
def test_other_settings_than_ours_close_the_lane(arguments: str) -> None:
    assert has_lane(make_config())
    cfg = make_config()
    chosen = vars(cfg.parser().parse_args(arguments.split()))
    for name, value in chosen.items():
        if value is not None and name != "args":
            cfg.set(name, value)

    assert not has_lane(cfg)


def test_deadlines_are_found_in_their_order() -> None:
    never, soon = Patience(0), Patience(0.01)
    for one in ("a", "b", "c", "a"):
        soon.add(one)
        never.add(one)
    soon.remove("b")
    time.sleep(0.02)

    assert list(soon.find_late()) == ["c", "a"]
    assert list(soon.find_late()) == list(never.find_late()) == []
    assert (len(soon), len(never), never.take_first()) == (0, 3, "b")
