"""Strangers who are slow: they hold connections, and no thread, so that an operator gets in through them."""

import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.testing.waiting import wait_until
from tests.dashboard.conftest import Scene
from tests.dashboard.screens import SCREENS
from tests.world.running_dashboards import PASSWORD, Session, find_token

HEAD = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CROWDS = {
    "silent": b"",
    "half a head": HEAD,
    "half a form": HEAD + b"Content-Length: 60000\r\n\r\nname=a",
    "half in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=",
}
SOON = 4  # seconds; with a thread for each of them nobody gets in within 30


@pytest.fixture(scope="module")
def scene(make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene("sqlite", "small")


@pytest.fixture
def connect(scene: Scene) -> Iterator[Callable[..., socket.socket]]:
    """A connection that says this, and no more."""
    open_ones = []

    def connect(said: bytes = b"", receives: int = 65536) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        client.settimeout(30)
        client.connect(("127.0.0.1", scene.dashboard.port))
        client.sendall(said)
        open_ones.append(client)
        return client

    yield connect
    for client in open_ones:
        client.close()


def ask(scene: Scene) -> int:
    return requests.get(f"{scene.dashboard.url}/sign-in", timeout=SOON).status_code


def test_it_works(scene: Scene, connect: Callable[..., socket.socket]) -> None:
    """A request that comes in pieces is answered, and the next one on its connection."""
    client = connect(b"GET /healthz HTTP/1.1\r\nHo")
    client.sendall(b"st: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    came = b""
    while piece := client.recv(65536):
        came += piece

    assert came.count(b"HTTP/1.1 200 OK") == came.count(b"alive\n") == 2


@pytest.mark.parametrize("crowd", CROWDS)
def test_slow_clients_keep_nobody_out(
    scene: Scene, connect: Callable[..., socket.socket], crowd: str
) -> None:
    first = connect(CROWDS[crowd])
    for _ in range(350):  # more than are waited for at once: the first ones make room
        connect(CROWDS[crowd])

    assert ask(scene) == 200
    wait_until(lambda: is_closed(first))


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(65536) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_who_does_not_read_keeps_nobody_out(
    scene: Scene, connect: Callable[..., socket.socket]
) -> None:
    page = requests.get(f"{scene.dashboard.url}/sign-in", timeout=30).text
    found = re.search(r"/static/vendored/htmx[^\"]*", page)
    assert found
    for _ in range(16):
        connect(f"GET {found[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 200, receives=2048)

    for _ in range(200):  # meanwhile what the system takes for them is full
        assert ask(scene) == 200


def test_what_is_too_long_is_refused_and_its_sender_hears_why(scene: Scene) -> None:
    person = Session(scene.dashboard.url)
    url = f"{scene.dashboard.url}/sign-in"

    answers = [
        person.http.post(url, "name=" + "a" * (16 << 20), timeout=30),
        person.http.post(url, {f"f{number}": "" for number in range(4000)}, timeout=30),
        person.http.get(url, params={"q": "<script>" + "a" * 9000}, timeout=30),
        person.http.get(url, headers={"X-A": "a" * 9000}, timeout=30),
        person.http.get(url, headers={"Cookie": "guerdon=" + "a" * 7000}, timeout=30),
    ]

    assert [one.status_code for one in answers] == [413, 400, 414, 431, 200]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script>a" not in answer.text


def test_a_form_in_chunks_is_read(scene: Scene) -> None:
    person, url = Session(scene.dashboard.url), f"{scene.dashboard.url}/sign-in"
    token = find_token(person.read("/sign-in").text)
    form = {"name": "anna", "password": PASSWORD, "csrf_token": token}
    in_chunks = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    done = person.http.post(url, (in_chunks[i : i + 9] for i in range(0, len(in_chunks), 9)),
                            headers={"Content-Type": "application/x-www-form-urlencoded"},
                            allow_redirects=False, timeout=30)  # fmt: skip
    assert done.status_code == 303


def test_a_flood_of_what_is_no_http_is_few_short_lines(
    scene: Scene, connect: Callable[..., socket.socket]
) -> None:
    before = len(scene.dashboard.log.read_text())
    for _ in range(100):
        client = connect(b"GET /" + b"a\x1b" * 3000 + b" HTTP/1.1\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 400"

    told = scene.dashboard.log.read_text()[before:].splitlines()
    assert 0 < len(told) < 60  # some a second, and it may take some
    assert max(map(len, told)) < 600


def test_acts_that_wait_for_a_lock_leave_threads_for_pages(scene: Scene) -> None:
    person, ledger = Session(scene.dashboard.url), scene.ledger
    person.sign_in("anna")
    token = find_token(person.read(page := SCREENS["stuck event"](ledger)).text)
    fields = {"type": ledger.type, "id": ledger.stuck, "csrf_token": token}

    def act(_: int) -> int:
        return person.http.post(f"{scene.dashboard.url}/event/retry", fields, allow_redirects=False,
                                timeout=30).status_code  # fmt: skip

    holder = sqlite3.connect(scene.config.parent / "guerdon.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(12) as people:
        answers = [people.submit(act, number) for number in range(12)]
        wait_until(lambda: sum(one.done() for one in answers) == 10)
        assert person.http.get(f"{scene.dashboard.url}{page}", timeout=SOON).status_code == 200
        holder.execute("ROLLBACK")
        holder.close()

    assert sorted(one.result() for one in answers) == [303, 303] + [503] * 10


def test_it_ends_in_order_whoever_is_connected(
    make_scene: Callable[[str, str], Scene],
) -> None:
    dashboard = make_scene("sqlite", "small").dashboard
    crowd = [socket.create_connection(("127.0.0.1", dashboard.port)) for _ in range(20)]

    assert dashboard.stop() == 0

    assert "Traceback" not in dashboard.log.read_text()
    for client in crowd:
        client.close()
