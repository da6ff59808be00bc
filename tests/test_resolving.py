"""Names are looked up within an exchange's time, however long the system would take."""

import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from app.errors import NetworkFailed
from app.network import Http
from app.resolving import MOST, Resolver, look_up
from tests.test_network import Serve, length, serve
from tests.test_raw_sockets import wait_until

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
    for _ in range(MOST):
        with pytest.raises(NetworkFailed):
            ask(http, "slow.example", port, connect=0.01)
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
