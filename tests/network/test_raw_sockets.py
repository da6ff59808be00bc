"""A real gunicorn, and clients that speak HTTP slowly, wrongly or not at all."""

import json
import os
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.deliveries import API_KEY, TOKEN, make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.players import add_player
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.world import short_requests
from tests.world.everything import RULES, point_at
from tests.world.servers import find_tracebacks

PATIENCE = short_requests.timeout  # seconds that gunicorn gives a request here, instead of 60
IN_TIME = PATIENCE + 40  # seconds, on a busy machine; gunicorn's own 60 would be too late
VOTES = b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\n"
LEVELS = (
    b"POST /v1/events/level_up HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + API_KEY.encode()
)
READY = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
MIB = 1 << 20


class Service:
    """gunicorn with two workers and every plugin; a player called Bob."""

    def __init__(self, folder: Path, vote_api: VoteApi) -> None:
        config = folder / "guerdon.toml"
        sections = point_at("http://127.0.0.1:9").format(vote_api=vote_api.url, token=TOKEN)
        url = f"sqlite:///{folder}/guerdon.db"
        config.write_text(f'[database]\nurl = "{url}"\n[api]\nkeys = ["{API_KEY}"]\n{sections}')
        (folder / "rewards.toml").write_text(RULES)
        guerdon: Guerdon = open_guerdon(config)
        guerdon.migrate()
        add_player(guerdon, "Bob")
        guerdon.close()
        self.server = Gunicorn(config, settings=short_requests.__name__)
        self.server.start()
        self.workers = sorted(self.server.list_workers())
        self._votes = self._read = 0

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), 60)

    def talk(self, sent: bytes, ends: bool = True) -> bytes:
        """All that is answered to these bytes; with `ends`, the client says that no more will come."""
        with self.connect() as client:
            with suppress(OSError):  # it hangs up while we still talk
                client.sendall(sent)
                if ends:
                    client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def time_delivery(self) -> float:
        """Seconds until a new vote is paid."""
        self._votes += 1
        began = time.monotonic()
        body = make_delivery(f"good-{self._votes}")
        url = f"{self.server.url}/webhooks/gamemonitoring"
        assert requests.post(url, data=body, timeout=60).status_code == 204
        return time.monotonic() - began

    def check(self) -> None:
        """It answers within a second, the workers are those that began, and nothing was raised."""
        wait_until(lambda: self.time_delivery() < 1.0)
        assert sorted(self.server.list_workers()) == self.workers
        log = self.server.log.read_bytes()
        new, self._read = log[self._read :], len(log)
        assert find_tracebacks(new.decode("utf-8", "replace")) == [], new[-4000:].decode()

    def measure_memory(self) -> int:
        """Bytes that the workers hold."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in self.workers]
        return sum(int(text.split("VmRSS:")[1].split()[0]) * 1024 for text in texts)

    def measure_work(self) -> float:
        """Seconds of CPU that the workers have spent."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self.workers]
        ticks = sum(int(tick) for stat in stats for tick in stat.split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")


def read_all(client: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionError):
        while some := client.recv(65536):
            answer += some
    return answer


def list_statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


# With an access log gunicorn does all itself.
WAYS = {"lane": "", "gunicorn": "--access-logfile /dev/null"}


@pytest.fixture(scope="module", params=WAYS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """By the lane of deliveries, and without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUNICORN_CMD_ARGS", WAYS[request.param])
        vote_api = VoteApi()
        service = Service(tmp_path_factory.mktemp("service"), vote_api)
        yield service
        service.server.stop()
        vote_api.close()


def test_it_works(service: Service) -> None:
    body = make_delivery("v1")
    head = VOTES + b"Content-Length: %d\r\n\r\n" % len(body)

    assert list_statuses(service.talk(head + body)) == [204]
    service.check()


def test_each_answer_has_the_date_of_its_own_second(service: Service) -> None:
    dates = []
    for _ in range(2):
        before = int(time.time())
        answer = service.talk(READY + b"\r\n")
        [text] = re.findall(rb"\r\nDate: ([^\r]+ GMT)\r\n", answer)
        dates.append(parsedate_to_datetime(text.decode()).timestamp())
        assert before <= dates[-1] <= time.time()
        time.sleep(1.1)
    assert dates[0] < dates[1]


def chunk(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def count(length: Any, body: bytes, head: bytes = VOTES) -> bytes:
    """A request that says that its body is so long."""
    return head + f"Content-Length: {length}\r\n\r\n".encode("latin-1") + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
GOOD = make_delivery("raw")
DEEP = b"[" * 100_000
# Name: bytes, and the statuses that are right; None: hung up without one is right too.
TALKS: dict[str, tuple[bytes, set[int | None]]] = {
    "no Content-Length": (VOTES + b"\r\n" + GOOD, {400}),
    "a length of nothing": (count("", GOOD), {400}),
    "a longer length than comes": (count(len(GOOD) + 1, GOOD), {400, None}),
    "a shorter length than comes": (count(5, GOOD), {400}),
    "a negative length": (count(-5, GOOD), {400}),
    "a length with a sign": (count("+5", GOOD), {400}),
    "a length in hex": (count("0x10", GOOD), {400}),
    "a length that is no number": (count("many", GOOD), {400}),
    "a length in other digits": (count("\xb2", GOOD), {400}),
    "a length beyond all measure": (count("9" * 5000, GOOD), {400, 413}),
    "a length of 10 GB": (count(10**10, GOOD), {413}),
    "two lengths": (count(f"{len(GOOD)}\r\nContent-Length: 5", GOOD), {400}),
    "the same length twice": (count(f"{len(GOOD)}\r\nContent-Length: {len(GOOD)}", GOOD), {400}),
    "a list of lengths": (count("5, 5", GOOD), {400}),
    "a length and chunks": (count(5, chunk(GOOD) + b"0\r\n\r\n", VOTES + CHUNKED), {400}),
    "chunks twice": (VOTES + CHUNKED * 2 + b"\r\n" + chunk(GOOD) + b"0\r\n\r\n", {400}),
    # RFC 9112, 6.1 asks for 501 where a coding is not known; nothing of ours failed.
    "a coding nobody knows": (VOTES + b"Transfer-Encoding: rot13\r\n\r\n" + GOOD, {400, 501}),
    "chunked, but not last": (VOTES + b"Transfer-Encoding: chunked, gzip\r\n\r\n", {400, 501}),
    "a coding that hides": (VOTES + b"Transfer-Encoding: \x0bchunked\r\n\r\n", {400, 501}),
    "a chunk of no number": (VOTES + CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n", {400}),
    "a negative chunk": (VOTES + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n", {400}),
    "a chunk that is longer": (VOTES + CHUNKED + b"\r\n2\r\n{}{}\r\n0\r\n\r\n", {400}),
    "a chunk that is shorter": (VOTES + CHUNKED + b"\r\n9\r\n{}\r\n0\r\n\r\n", {400}),
    "a chunk of 2**80": (VOTES + CHUNKED + b"\r\n" + b"f" * 20 + b"\r\n{}", {400, None}),
    "chunks without an end": (VOTES + CHUNKED + b"\r\n" + chunk(GOOD), {400, None}),
    "a chunk extension without end": (VOTES + CHUNKED + b"\r\n2;" + b"x" * 100_000, {400}),
    "chunks and nothing": (VOTES + CHUNKED + b"\r\n", {400, None}),
    "trailers": (VOTES + CHUNKED + b"\r\n" + chunk(b"{}") + b"0\r\nA: b\r\n\r\n", {401}),
    "a bad trailer": (VOTES + CHUNKED + b"\r\n" + chunk(b"{}") + b"0\r\n\0: b\r\n\r\n", {400}),
    "trailers without end": (VOTES + CHUNKED + b"\r\n0\r\n" + b"A: b\r\n" * 100_000, {400, 431}),
    "100,000 levels to a source": (count(len(DEEP), DEEP), {400, 413}),
    "100,000 levels to /v1": (count(len(DEEP), DEEP, LEVELS + b"\r\n"), {400}),
    "100,000 levels in chunks": (LEVELS + b"\r\n" + CHUNKED + b"\r\n" + chunk(DEEP) + b"0\r\n\r\n", {400}),
    "two keys": (count(2, b"{}", LEVELS + b"\r\nAuthorization: Bearer x\r\n"), {401}),
    "the same key twice": (
        count(2, b"{}", LEVELS + b"\r\nAuthorization: Bearer " + API_KEY.encode() + b"\r\n"), {401}
    ),
    "two hosts": (READY + b"Host: y\r\n\r\n", {400}),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", {400, 200}),
    "a host of bytes": (b"GET /healthz HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n", {400, 200}),
    "a line of 100 KB": (READY + b"A: " + b"b" * 100_000 + b"\r\n\r\n", {431}),
    "a name of 100 KB": (READY + b"a" * 100_000 + b": b\r\n\r\n", {431}),
    "10,000 headers": (READY + b"".join(b"A%d: b\r\n" % n for n in range(10_000)) + b"\r\n", {400, 431}),
    "headers without end": (READY + b"A: b\r\n" * 200_000, {400, 431}),
    "a path of 100 KB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414, 431}),
    "a path without end": (b"GET /" + b"a" * 1_000_000, {414, 431}),
    "bare LF": (b"GET /healthz HTTP/1.1\nHost: x\n\n", {400}),
    "bare CR": (b"GET /healthz HTTP/1.1\rHost: x\r\r", {400, None}),
    "a folded header": (READY + b"A: b\r\n c\r\n\r\n", {400}),
    "a space before the colon": (READY + b"A : b\r\n\r\n", {400}),
    "a header without a name": (READY + b": b\r\n\r\n", {400}),
    "a header without a colon": (READY + b"nothing\r\n\r\n", {400}),
    "NUL in a header": (READY + b"A: \0\r\n\r\n", {400}),
    "NUL in a path": (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    "bytes in a path": (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    "NULs alone": (b"\0" * 1000 + b"\r\n\r\n", {400}),
    "an underscore in a name": (READY + b"CONTENT_LENGTH: 9\r\n\r\n", {200, 400}),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", {400, None}),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", {200}),
    "HTTP/3.7": (b"GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n", {400}),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", {400}),
    "an upgrade to HTTP/2": (READY + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                             b"HTTP2-Settings: AAMAAABk\r\n\r\n", {200}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400, None}),
    "a line of a proxy": (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n" + READY + b"\r\n", {400}),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
    "an address for a path": (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n", {200, 404}),
    "a star for a path": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 200}),
    "a method of 1000 letters": (b"A" * 1000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
    "an expectation": (count(2, b"{}", VOTES + b"Expect: 100-continue\r\n"), {100, 401}),
    "an unknown expectation": (count(2, b"{}", VOTES + b"Expect: miracles\r\n"), {417}),
    "nothing": (b"", {None}),
    "half a line": (b"GET /hea", {None}),
    "half a head": (READY, {None}),
}  # fmt: skip


@pytest.mark.parametrize("name", TALKS)
def test_whatever_is_no_http_is_refused_and_harms_nobody(name: str, service: Service) -> None:
    sent, right = TALKS[name]

    statuses = list_statuses(service.talk(sent)) or [None]

    assert set(statuses) <= right | {400}, statuses  # 400: for what follows the first request
    assert statuses[0] in right
    service.check()


def test_a_request_that_hides_in_another_is_never_served(service: Service) -> None:
    hidden = b"GET /v1/players/Bob HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
    hidden %= API_KEY.encode()
    both = f"Content-Length: {len(hidden) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    for sent in (VOTES + both + b"0\r\n\r\n" + hidden, VOTES + b"\r\n" + b"{}" + hidden):
        answer = service.talk(sent)
        assert b"Bob" not in answer
        assert not set(list_statuses(answer)) & {200, 204}
    service.check()


def test_a_hundred_requests_in_one_go_are_answered_in_order(service: Service) -> None:
    sent = b"".join(READY + b"\r\n" + count(2, b"{}") for _ in range(50))

    assert list_statuses(service.talk(sent)) == [200, 401] * 50
    service.check()


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(
    "head", [VOTES, LEVELS + b"\r\n", b"POST /nowhere HTTP/1.1\r\nHost: x\r\n"]
)
def test_ten_mb_are_refused_and_not_kept(head: bytes, is_chunked: bool, service: Service) -> None:
    ten = b"x" * (10 * MIB)
    body = chunk(*[ten[:65536]] * 160) + b"0\r\n\r\n" if is_chunked else ten
    sent = head + CHUNKED + b"\r\n" + body if is_chunked else count(len(ten), ten, head)
    service.talk(sent)  # what the first costs once is not counted
    before, spent = service.measure_memory(), service.measure_work()

    threads = [threading.Thread(target=service.talk, args=(sent,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    peak = before
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, service.measure_memory())
        time.sleep(0.02)

    assert peak - before < 40 * MIB
    assert service.measure_work() - spent < 2.0
    answer = service.talk(sent)
    assert list_statuses(answer) == ([404] if b"nowhere" in head else [413])
    assert b"\r\nConnection: close\r\n" in answer
    service.check()


NOWHERE = b"POST /nowhere HTTP/1.1\r\nHost: x\r\n"
KEYLESS = b"POST /v1/events/level_up HTTP/1.1\r\nHost: x\r\n"
JUNK = b"x" * 200_000
REFUSED = {
    "200 KB without a signature": (count(200_000, JUNK), "close"),
    "200 KB without a key": (count(200_000, JUNK, KEYLESS), "close"),
    "200 KB to nowhere": (count(200_000, JUNK, NOWHERE), "close"),
    "200 KB in chunks": (VOTES + CHUNKED + b"\r\n" + chunk(JUNK) + b"0\r\n\r\n", "close"),
    "a bad chunk": (VOTES + CHUNKED + b"\r\nzz\r\n", "close"),
    "2 bytes without a signature": (count(2, b"{}"), "keep-alive"),
    "2 bytes in chunks": (VOTES + CHUNKED + b"\r\n" + chunk(b"{}") + b"0\r\n\r\n", "keep-alive"),
    "5000 bytes to nowhere": (count(5000, JUNK[:5000], NOWHERE), "keep-alive"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_says_whether_its_connection_is_kept_and_it_is(
    name: str, service: Service
) -> None:
    sent, said = REFUSED[name]
    with service.connect() as client:
        client.sendall(sent)
        answer = client.recv(65536)
        assert f"\r\nConnection: {said}\r\n".encode() in answer
        client.sendall(READY + b"\r\n")  # what is sent to one that ends is not answered
        while b'"alive"' not in answer and (more := receive(client)):
            answer += more
    assert list_statuses(answer)[1:] == ([200] if said == "keep-alive" else [])
    service.check()


def receive(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionError:
        return b""


# Slow clients.


def drip(client: socket.socket, text: bytes, pause: float = 0.3) -> float:
    """Send a byte at a time until the other side hangs up; seconds until then."""
    began = time.monotonic()
    client.settimeout(pause)
    for byte in text:
        try:
            client.sendall(bytes([byte]))
            while client.recv(65536):
                pass
            break
        except TimeoutError:
            continue
        except OSError:
            break
    else:
        raise AssertionError("all of it was taken")
    return time.monotonic() - began


SLOW = {
    "a head": (b"", READY + b"A: " + b"b" * 1000),
    "a body": (count(65536, b""), b" " * 1000),
    "a body in chunks": (VOTES + CHUNKED + b"\r\n" + b"ffff\r\n", b" " * 1000),
    "a chunk's length": (VOTES + CHUNKED + b"\r\n", b"0" * 1000),
    "a body that nobody reads": (count(10 * MIB, b""), b" " * 1000),
    "a body of /v1": (count(65536, b"", LEVELS + b"\r\n"), b" " * 1000),
}


def test_who_drips_is_hung_up_on_in_time_and_meanwhile_others_are_served(service: Service) -> None:
    with ExitStack() as stack:
        clients = {name: stack.enter_context(closing(service.connect())) for name in SLOW}
        for name, client in clients.items():
            client.sendall(SLOW[name][0])
        times: dict[str, float] = {}

        def wait(name: str) -> None:
            times[name] = drip(clients[name], SLOW[name][1])

        threads = [threading.Thread(target=wait, args=(name,)) for name in SLOW]
        for thread in threads:
            thread.start()
        wait_until(lambda: service.time_delivery() < 1.0)
        for thread in threads:
            thread.join(60)

    assert set(times) == set(SLOW)
    assert max(times.values()) < IN_TIME, times
    service.check()


def test_who_never_reads_the_answer_is_hung_up_on_in_time(service: Service) -> None:
    wanted = b"GET /static/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", service.server.port))
            client.sendall(wanted * 10)  # more than the system keeps for who does not read
        wait_until(lambda: count_connections(service) >= 20)
        service.check()
        wait_until(lambda: count_connections(service) == 0, IN_TIME)
    service.check()


def count_connections(service: Service) -> int:
    """How many connections the workers hold open."""
    port = f":{service.server.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    held = {row[9] for row in rows if row[1].endswith(port) and row[3] in ("01", "08")}
    return len(held - {"0"})


def test_five_hundred_that_say_nothing_or_half_a_body_keep_nobody_waiting(service: Service) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(service.connect())) for _ in range(500)]
        for client in clients[::2]:
            client.sendall(count(500, b'{"event_id":'))
        wait_until(lambda: count_connections(service) >= 400)
        service.check()
        wait_until(lambda: count_connections(service) == 0, IN_TIME)
    service.check()


def test_more_may_connect_than_the_system_lets_a_process_open_at_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    vote_api = VoteApi()
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
    try:
        service = Service(tmp_path_factory.mktemp("narrow"), vote_api)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with ExitStack() as stack:
        stack.callback(vote_api.close)
        stack.callback(service.server.stop)
        clients = [stack.enter_context(closing(service.connect())) for _ in range(400)]
        for client in clients:
            client.sendall(READY)
        wait_until(lambda: count_connections(service) >= 350)
        service.check()


def test_a_payment_whose_client_was_hung_up_on_is_finished(service: Service) -> None:
    body = make_delivery("gone")
    with service.connect() as client:
        client.sendall(count(len(body), body))
    headers = {"Authorization": f"Bearer {API_KEY}"}
    url = f"{service.server.url}/v1/events/server.vote/gone"

    def read_state() -> Any:
        return json.loads(requests.get(url, headers=headers, timeout=20).text).get("state")

    wait_until(lambda: read_state() == "settled")
    service.check()
