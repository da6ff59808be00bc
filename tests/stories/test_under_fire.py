"""Load, kills and outages: whatever happens, each vote is paid once and the books agree."""

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from app.guerdon import Guerdon
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import FastVoteApi
from app.testing.waiting import PATIENCE, wait_until
from tests.model.oracle import judge
from tests.world.crowd import Key
from tests.world.servers import find_tracebacks

PLAYERS = 50
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "100.25" },
  { reward = "item", item = "sword", quantity = 2 },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
"""
SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))


class Load:
    """Many clients with kept connections, each sending the next of ever new votes; a log of it all."""

    def __init__(self, url: str, threads: int) -> None:
        self.http = urllib3.connection_from_url(url, maxsize=threads + 1, retries=False, timeout=60)
        self.sent: list[str] = []
        self.answers: list[tuple[str, int, float]] = []  # id, status or 0, seconds
        self.stopping = threading.Event()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self._runs: list[Any] = []

    def post(self, id: str) -> int:
        """The status of one delivery; 0 when the connection broke."""
        start, status = time.monotonic(), 0
        try:
            path = "/webhooks/gamemonitoring"
            status = self.http.request("POST", path, body=make_delivery(id)).status
        except urllib3.exceptions.HTTPError:
            pass
        self.answers.append((id, status, time.monotonic() - start))
        return status

    def insist(self, id: str) -> None:
        """Send one delivery until it is answered 2xx, as the platform does."""
        deadline = time.monotonic() + PATIENCE
        while not 200 <= self.post(id) < 300:
            assert time.monotonic() < deadline, f"{id} is still not paid"
            time.sleep(0.05)

    def try_once(self, id: str) -> None:
        """Send one delivery; after a failure take a breath, for there is nobody to hurry for."""
        if self.post(id) != 204:
            time.sleep(0.05)

    def make_id(self) -> str:
        with self._lock:
            self.sent.append(f"v-{len(self.sent)}-p{len(self.sent) % PLAYERS}")
            return self.sent[-1]

    def start(self, send: Callable[[str], Any]) -> None:
        """Send ever new votes from every thread until finish()."""

        def run() -> None:
            while not self.stopping.is_set():
                send(self.make_id())

        self._runs = [self._pool.submit(run) for _ in range(self._threads)]

    def finish(self) -> None:
        self.stopping.set()
        for run in self._runs:
            run.result()

    def send_all(self, ids: list[str]) -> None:
        """Each id once more, until it is answered 2xx."""
        list(self._pool.map(self.insist, ids))

    def count_statuses(self) -> Counter[int]:
        return Counter(status for _, status, _ in self.answers)

    def close(self) -> None:
        self.stopping.set()
        self._pool.shutdown()
        self.http.close()


@pytest.fixture
def fast_api() -> Iterator[FastVoteApi]:
    api = FastVoteApi()
    yield api
    api.close()


@pytest.fixture
def open_books(
    open_service: Callable[..., Guerdon], fast_api: FastVoteApi
) -> Callable[..., Guerdon]:
    """A migrated service with players p0 to p49 and all the rewards, to read the books with."""

    def open_one(**options: Any) -> Guerdon:
        plugins = ALL_PLUGINS.replace("{vote_api}", fast_api.url)
        guerdon = open_service(rewards=REWARDS, plugins=plugins, **options)
        for number in range(PLAYERS):
            add_player(guerdon, f"p{number}")
        guerdon.database.close_all()
        return guerdon

    return open_one


@pytest.fixture
def start_load() -> Iterator[Callable[..., Load]]:
    loads: list[Load] = []

    def start(server: Gunicorn, threads: int) -> Load:
        loads.append(Load(server.url, threads))
        return loads[-1]

    yield start
    for load in loads:
        load.close()


def query(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def check_books(guerdon: Guerdon, ids: list[str], sent: list[str] | None = None) -> None:
    """Each of these votes is paid once, whole, and nothing else is; the balances say the same."""
    assert len(set(ids)) == len(ids)
    judge(guerdon, accepted=name_votes(ids), sent=name_votes(ids if sent is None else sent))


def name_votes(ids: list[str]) -> set[Key]:
    return {("server.vote", id) for id in ids}


def test_one_vote_delivered_two_hundred_times_at_once_is_paid_once(
    open_books: Callable[..., Guerdon], start_gunicorn: Any, start_load: Any
) -> None:
    guerdon = open_books()
    load = start_load(start_gunicorn(guerdon.config.path, workers=4), 200)
    together = threading.Barrier(200)

    def post(number: int) -> int:
        together.wait()
        return load.post("v-1-p1")  # type: ignore[no-any-return]

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(post, range(200)))

    assert Counter(statuses) == {204: 200}
    check_books(guerdon, ["v-1-p1"])


def test_two_thousand_votes_for_fifty_players_leave_every_balance_exact(
    open_books: Callable[..., Guerdon], start_gunicorn: Any, start_load: Any
) -> None:
    guerdon = open_books()
    load = start_load(start_gunicorn(guerdon.config.path, workers=4), 32)
    ids = [f"v-{n}-p{n % PLAYERS}" for n in range(2000)]
    start = time.monotonic()

    load.send_all(ids)

    print(f"{2000 / (time.monotonic() - start):.0f} votes/s")
    assert load.count_statuses() == {204: 2000}
    check_books(guerdon, ids)


def test_kills_at_random_moments_tear_nothing_and_pay_nothing_twice(
    open_books: Callable[..., Guerdon], start_gunicorn: Any, start_load: Any
) -> None:
    guerdon = open_books()
    server = start_gunicorn(guerdon.config.path, workers=4)
    load = start_load(server, 24)
    print(f"GUERDON_SEED={SEED}")
    dice = random.Random(SEED)
    load.start(load.insist)

    for victims in dice.sample(["one"] * 7 + ["all"] * 3, 10):
        before = len(load.answers)
        wait_until(lambda b=before: len(load.answers) > b)  # under load, not between
        time.sleep(dice.uniform(0.02, 0.3))
        if victims == "all":
            server.kill_all()
            server.start()
        else:
            os.kill(dice.choice(wait_until(server.list_workers)), signal.SIGKILL)
    load.finish()

    statuses = load.count_statuses()
    print(dict(statuses))
    assert statuses[0] >= 10  # the kills did hit deliveries on their way
    assert set(statuses) <= {0, 204, 503}
    load.send_all(load.sent)
    check_books(guerdon, load.sent)


def test_votes_that_the_vote_api_failed_for_are_paid_by_the_workers_once_it_heals(
    open_books: Callable[..., Guerdon], fast_api: FastVoteApi, start_gunicorn: Any, start_load: Any
) -> None:
    guerdon = open_books(more="[inbox]\nretry_delays = [0.2, 0.5]\n")
    load = start_load(start_gunicorn(guerdon.config.path, workers=4), 16)
    ids = [f"v-{n}-p{n % PLAYERS}" for n in range(400)]
    fast_api.sicken(3)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(load.post, ids))

    statuses = load.count_statuses()
    assert set(statuses) == {204, 503}
    assert 50 < statuses[503] < 250
    counted = "SELECT COUNT(*) FROM guerdon_events"
    assert query(guerdon, counted)[0][0] == statuses[204]
    fast_api.heal()
    wait_until(lambda: query(guerdon, counted)[0][0] == 400)
    check_books(guerdon, ids)
    left = "SELECT COUNT(*) FROM guerdon_inbox WHERE state <> 'settled'"
    wait_until(lambda: query(guerdon, left)[0][0] == 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.on_servers
def test_a_database_that_goes_and_comes_back_costs_503s_and_nothing_else(
    how: int, own_database_server: DatabaseServer, open_books: Callable[..., Guerdon],
    start_gunicorn: Any, start_load: Any,
) -> None:  # fmt: skip
    guerdon = open_books(url=own_database_server.url(own_database_server.create_database()))
    server = start_gunicorn(guerdon.config.path, workers=2)
    workers = server.list_workers()
    load = start_load(server, 16)
    load.start(load.try_once)
    wait_until(lambda: len(load.answers) > 200)

    own_database_server.stop(how)
    wait_until(lambda: read_readiness(load) == 503)
    gone = len(load.answers)
    wait_until(lambda: len(load.answers) > gone + 100)
    during = len(load.answers)
    own_database_server.start()
    wait_until(lambda: read_readiness(load) == 200)
    healed = len(load.answers)
    wait_until(lambda: len(load.answers) > healed + 200)
    load.finish()

    assert load.count_statuses().keys() == {204, 503}
    assert {status for _, status, _ in load.answers[during - 20 : during]} == {503}
    load.send_all(load.sent)
    check_books(guerdon, load.sent)
    assert server.list_workers() == workers


@pytest.mark.on_servers
def test_a_database_that_accepts_and_never_answers_costs_503s_in_time_and_no_worker(
    own_database_server: DatabaseServer, open_books: Callable[..., Guerdon],
    start_gunicorn: Any, start_load: Any,
) -> None:  # fmt: skip
    guerdon = open_books(url=own_database_server.url(own_database_server.create_database()))
    server = start_gunicorn(guerdon.config.path, workers=2)
    workers = server.list_workers()
    load = start_load(server, 16)
    load.start(load.try_once)
    wait_until(lambda: len(load.answers) > 200)

    own_database_server.send_signal(signal.SIGSTOP)
    stopped = len(load.answers)
    # The first 503 comes long after the last 204 that was on its way; then each client has two.
    wait_until(lambda: 503 in {status for _, status, _ in load.answers[stopped:]})
    before = len(load.answers)
    wait_until(lambda: len(load.answers) > before + 2 * 16)
    during = load.answers[before:]
    alive = load.http.request("GET", "/healthz").status
    own_database_server.send_signal(signal.SIGCONT)
    wait_until(lambda: read_readiness(load) == 200)
    healed = len(load.answers)
    wait_until(lambda: len(load.answers) > healed + 200)
    load.finish()

    slowest = max(seconds for _, _, seconds in load.answers)
    print(f"{len(during)} answers meanwhile, the slowest after {slowest:.1f} s")
    assert {status for _, status, _ in during} == {503}
    assert slowest < 30
    assert alive == 200
    assert server.list_workers() == workers
    load.send_all(load.sent)
    check_books(guerdon, load.sent)


def test_told_to_stop_under_load_it_ends_in_time_and_what_it_answered_is_paid(
    open_books: Callable[..., Guerdon], start_gunicorn: Any, start_load: Any
) -> None:
    guerdon = open_books()
    server = start_gunicorn(guerdon.config.path, workers=2)
    load = start_load(server, 16)
    idle = [connect_kept_open(server.port) for _ in range(8)]  # as a proxy in front does
    load.start(load.try_once)
    wait_until(lambda: len(load.answers) > 200)

    start = time.monotonic()
    server.process.terminate()
    code = server.process.wait(60)
    seconds = time.monotonic() - start
    load.finish()
    for connection in idle:
        connection.close()

    print(f"ended after {seconds:.1f} s, {dict(load.count_statuses())}")
    assert code == 0
    assert seconds < 30  # when it would be cut off
    paid = {row[0] for row in query(guerdon, "SELECT event_id FROM guerdon_events")}
    assert {id for id, status, _ in load.answers if status == 204} <= paid
    check_books(guerdon, sorted(paid), load.sent)
    assert find_tracebacks(server.log.read_text()) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_control_socket_is_left_for_another_service_of_the_same_user_to_take(
    open_books: Callable[..., Guerdon], start_gunicorn: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, str(home))
    start_gunicorn(open_books().config.path)

    assert [path for path in home.rglob("*") if path.is_socket()] == []


def connect_kept_open(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    return connection


def read_readiness(load: Load) -> int:
    return load.http.request("GET", "/readyz").status
