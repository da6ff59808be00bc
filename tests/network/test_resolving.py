"""Names are looked up within an exchange's time, however long the system would take."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from app.network.client import Http
from app.network.resolving import MOST, Resolver, look_up
from app.porch.errors import NetworkFailed
from tests.network.test_network import Serve, length, serve
from tests.network.test_raw_sockets import wait_until
from tests.world.servers import ROOT

__all__ = ["serve"]


class Names:
    """The network's own book of names: some it knows, on all others it lets one wait."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known
        self.asked: list[str] = []
        self.ended = threading.Event()

    def look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        if host not in self.known:
            self.ended.wait(60)
            raise OSError("nobody knows")
        return self.known[host]


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names({"both.example": ["127.0.0.99", "127.0.0.1"], "one.example": ["127.0.0.1"]})
    names.known["none.example"] = []
    yield names
    names.ended.set()


@pytest.fixture
def http(names: Names) -> Iterator[Http]:
    http = Http(resolver=Resolver(names.look_up))
    yield http
    http.close()


def ask(http: Http, host: str, port: int, **limits: float) -> bytes:
    return http.request("GET", f"http://{host}:{port}/", **limits).body


def test_it_works(http: Http, names: Names, serve: Serve) -> None:
    port = urlsplit(serve(length(b"hello")).url).port or 0

    assert [ask(http, "one.example", port) for _ in range(3)] == [b"hello"] * 3
    assert ask(http, "both.example", port) == b"hello"  # the first address takes no connection
    assert ask(http, "127.0.0.1", port) == b"hello"
    assert names.asked == ["one.example", "both.example"]  # connections are kept
    assert "127.0.0.1" in look_up("localhost")


@pytest.mark.parametrize(
    ("connect", "total", "fault"),
    [(0.3, 5.0, "no answer in time"), (3.0, 0.3, "no whole answer within 0.3 s")],
)
def test_a_name_that_takes_its_time_overruns_nothing(
    connect: float, total: float, fault: str, http: Http, names: Names
) -> None:
    began = time.monotonic()
    with pytest.raises(NetworkFailed, match=fault):
        ask(http, "slow.example", 80, connect=connect, total=total)

    assert time.monotonic() - began < 20  # and not the minute that the name takes
    assert names.asked == ["slow.example"]


def test_slow_names_leave_room_again_and_meanwhile_nobody_waits_for_long(
    http: Http, names: Names, serve: Serve
) -> None:
    port = urlsplit(serve(length(b"hello")).url).port or 0
    for number in range(MOST):
        with pytest.raises(NetworkFailed):
            ask(http, f"slow{number}.example", port, connect=0.01)
    with pytest.raises(NetworkFailed, match="in time"):
        ask(http, "one.example", port, connect=0.1)
    assert "one.example" not in names.asked

    names.ended.set()

    wait_until(lambda: try_to_ask(http, port) == b"hello")


def try_to_ask(http: Http, port: int) -> bytes:
    try:
        return ask(http, "one.example", port)
    except NetworkFailed:
        return b""


def test_a_name_without_addresses_is_no_connection(http: Http) -> None:
    for host in ("none.example", "no-such-host.invalid"):
        http_ = http if host == "none.example" else Http()
        with pytest.raises(NetworkFailed):
            ask(http_, host, 80)


def test_a_name_is_looked_up_once_for_all_who_wait_for_it(
    http: Http, names: Names, serve: Serve
) -> None:
    """Or a dead one would take every thread that the system's resolver has."""
    port = urlsplit(serve(length(b"hello")).url).port or 0
    for _ in range(MOST + 1):
        with pytest.raises(NetworkFailed):
            ask(http, "slow.example", port, connect=0.01)

    assert names.asked == ["slow.example"]
    assert ask(http, "one.example", port) == b"hello"
    names.known["slow.example"] = ["127.0.0.1"]
    names.ended.set()
    wait_until(lambda: "slow.example" not in http._resolver._running)
    assert ask(http, "slow.example", port) == b"hello"


BUSY = """
from gevent import get_hub, monkey, sleep
monkey.patch_all()
import sys, time
from app.network.client import Http
native = monkey.get_original("time", "sleep")
for _ in range(10):
    get_hub().threadpool.spawn(native, 60)
sleep(0.2)
answer = Http().request("GET", sys.argv[1], connect=10, total=10)
print(answer.body.decode(), flush=True)
import os
os._exit(0)
"""


def test_an_address_is_reached_while_all_threads_of_the_systems_resolver_hang(serve: Serve) -> None:
    command = [sys.executable, "-c", BUSY, serve(length(b"hello")).url]

    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=50
    )

    assert done.stdout == "hello\n", done.stderr
