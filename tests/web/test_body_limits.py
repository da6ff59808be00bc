"""What nobody has verified yet is bounded: slow and large bodies, and heads, make room for votes."""

import re
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest

from app.porch.errors import BadDelivery, Crowded
from app.testing.vote_api import VoteApi
from app.web.body_limits import BodyLimits
from tests.network.test_raw_sockets import MIB, Service, count, list_statuses, read_all


class Stream:
    """A body that comes in as the test says: bytes, or what is to happen before more come."""

    def __init__(self, *parts: Any) -> None:
        self._parts = list(parts)
        self.is_ended = False
        self.is_timed = False

    def is_here(self, length: int) -> bool:
        return False

    def end(self) -> None:
        self.is_ended = True

    def start_timer(self, seconds: float, act: Callable[[], None]) -> Any:
        self.patience, self.act, self.is_timed = seconds, act, True
        return self

    def close(self) -> None:
        self.is_timed = False

    def run_out(self, seconds: float) -> None:
        """So long a time has passed."""
        if seconds >= self.patience:
            self.act()

    def read(self, size: int) -> bytes:
        while self._parts and callable(self._parts[0]):
            self._parts.pop(0)()
        if self.is_ended or not self._parts:
            return b""
        part = self._parts.pop(0)
        if len(part) > size:
            self._parts.insert(0, part[size:])
        return bytes(part[:size])


def test_it_works() -> None:
    limits = BodyLimits(patience=5)

    assert limits.read(Stream(b"ab", b"c"), 3) == b"abc"
    assert limits.read(Stream(b"ab", b"c"), 9) == b"abc"
    assert limits.read(Stream(b"abcd"), 3) == b"abc"
    slow = Stream(b"a", lambda: slow.run_out(5))
    with pytest.raises(BadDelivery) as caught:
        limits.read(slow, 3)
    assert caught.value.status == 408
    assert not slow.is_timed
    in_time = Stream(b"a", lambda: in_time.run_out(4.9), b"b")
    assert limits.read(in_time, 2) == b"ab"


def test_who_waits_longest_makes_room_for_who_comes() -> None:
    limits = BodyLimits(most=3)
    streams: list[Stream] = []
    told: list[str] = []

    def come(number: int) -> None:
        """Each waits while the next one comes; the last one's body is whole."""
        more = [lambda: come(number + 1)] if number < 5 else []
        streams.append(Stream(b"a", *more, b"b"))
        try:
            told.append(limits.read(streams[number], 2).decode())
        except Crowded:
            told.append("crowded")

    come(0)

    assert [stream.is_ended for stream in streams] == [True] * 3 + [False] * 3
    assert told == ["ab", "ab", "ab", "crowded", "crowded", "crowded"]
    assert limits.read(Stream(b"a", b"b"), 2) == b"ab"  # nothing is left of it


def test_who_holds_bytes_for_longest_makes_room_and_what_is_given_back_counts_no_more() -> None:
    limits = BodyLimits(most_bytes=100)
    large = Stream(b"b" * 80, b"b" * 10)

    def read_large() -> None:
        assert limits.read(large, 90) == b"b" * 90

    silent = Stream(b"a" * 30, read_large, b"a")

    def read_silent() -> None:
        with pytest.raises(Crowded):
            limits.read(silent, 31)

    empty = Stream(read_silent, b"c")  # it holds nothing, so its going would make no room
    assert limits.read(empty, 1) == b"c"
    assert (empty.is_ended, silent.is_ended, large.is_ended) == (False, True, False)
    for _ in range(5):
        assert len(limits.read(Stream(b"d" * 60, b"d" * 30), 90)) == 90


def test_a_large_body_gets_in_through_a_crowd_that_holds_all_there_is() -> None:
    """However much more than each of the crowd it holds: it is quick, and they are not."""
    limits = BodyLimits(most=200, most_bytes=8 * MIB)
    told: list[str] = []

    def come(number: int) -> None:
        parts = [lambda: come(number + 1)] if number < 128 else [read_honest]
        try:
            limits.read(Stream(b"x" * 65536, *parts, b"x"), 65537)
        except Crowded:
            told.append("crowded")

    def read_honest() -> None:
        assert len(limits.read(Stream(*[b"y" * 65536] * 16), MIB)) == MIB
        told.append("honest")

    come(0)

    assert "honest" in told
    assert told.count("crowded") >= 16


# The whole of it, attacked.


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    vote_api = VoteApi()
    service = Service(tmp_path_factory.mktemp("limits"), vote_api)
    yield service
    service.server.stop()
    vote_api.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


VOTES = b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\n"
ROUNDS = b"POST /webhooks/sud HTTP/1.1\r\nHost: x\r\nSud-Signature: " + b"0" * 40 + b"\r\n"
NOUGHTS = ROUNDS + b"Content-Length: 0001048576\r\n\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
ATTACKS = {
    "1,500 bodies of one byte": (1500, count(60_000, b"{", VOTES)),
    "1,500 bodies of one byte, in chunks": (1500, VOTES + CHUNKS + b"1\r\n{\r\n"),
    "300 bodies of 1 MiB": (300, count(MIB, b"x" * (MIB - 1), ROUNDS)),
    "300 bodies of 1 MiB, told with noughts": (300, NOUGHTS + b"x" * (MIB - 1)),
    "300 bodies of 1 MiB, in chunks": (300, ROUNDS + CHUNKS + b"100000\r\n" + b"x" * (MIB - 1)),
    "4,500 heads": (4500, VOTES),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_valid_votes_are_paid_meanwhile_and_memory_stays_bounded(
    name: str, service: Service
) -> None:
    number, sent = ATTACKS[name]
    service.check()
    before, peak = service.measure_memory(), 0
    answers: list[bytes] = []
    with ExitStack() as stack:

        def attack(share: int) -> None:
            for _ in range(share):
                client = stack.enter_context(closing(service.connect()))
                client.settimeout(5)
                with suppress(OSError):  # it hangs up while we still talk
                    client.sendall(sent)
                clients.append(client)

        clients: list[socket.socket] = []
        threads = [threading.Thread(target=attack, args=(number // 5,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, service.measure_memory())
            service.time_delivery()  # each must be answered with 204
        took = [service.time_delivery() for _ in range(20)]
        peak = max(peak, service.measure_memory())
        assert min(took) < 1.0
        for client in clients[:20]:
            with suppress(OSError):
                answers.append(read_all(client))

    assert peak - before < 100 * MIB
    said = b"".join(answers)
    # Sud is told in its own form, with status 200.
    statuses = {*list_statuses(said), *map(int, re.findall(rb'"ret_code": ?(\d+)', said))} - {200}
    assert statuses <= ({503, 408} if "bodies" in name else set())
    assert statuses or "heads" in name
    assert said.count(b"Connection: close") == len(list_statuses(said))
    service.check()
