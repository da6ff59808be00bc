"""A database that answers slowly, in part, or not at all: 503 in time, no worker lost, paid once.

Its time limits are shorter here, so that silence is not waited for so long; with those of the code,
a database that falls silent is in test_under_fire.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import requests

from app.database import opening as database
from app.guerdon import Guerdon
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform
from app.testing.vote_api import VoteApi, answer_vote
from app.testing.waiting import wait_until
from tests.model.oracle import is_over, judge
from tests.world.crowd import PLAYERS, Crowd
from tests.world.proxying import SWALLOW, Fault, Proxy

pytestmark = pytest.mark.on_servers
MARGIN = 5.0  # seconds, for a busy machine
CLIENTS = 8
STALL = Fault("stall", 3600)


def freeze(proxy: Proxy) -> None:
    """Every connection falls silent where it is."""
    proxy.freeze()


def refuse_greeting(proxy: Proxy) -> None:
    """The connections are gone; new ones are taken, and nobody says anything."""
    proxy.freeze()
    proxy.hang_up_all()


def answer_late(proxy: Proxy) -> None:
    """Each reply is 0.3 s late."""
    proxy.delay = 0.3


def swallow_commits(proxy: Proxy) -> None:
    """COMMITs are done, and nobody says so."""
    proxy.weather = lambda data: SWALLOW if b"\x03COMMIT" in data[:16] else None


def stall_commits(proxy: Proxy) -> None:
    """COMMITs are neither done nor answered; what they would have ended stays locked."""
    proxy.weather = lambda data: STALL if b"\x03COMMIT" in data[:16] else None


def stall_within(proxy: Proxy) -> None:
    """The transaction that pays stops in its middle."""
    proxy.weather = lambda data: STALL if b"INSERT INTO guerdon_grants" in data[:64] else None


class Case(NamedTuple):
    """How it goes wrong, the seconds within which each vote is answered, and what readiness says."""

    go_wrong: Callable[[Proxy], None]
    slowest: float
    is_ready: bool = True


SETTLE = PARK = ANSWER_TIMEOUT = 4  # seconds
GREETING = database.CONNECT_TIMEOUT
CASES = [
    Case(freeze, SETTLE + GREETING, False),
    Case(refuse_greeting, GREETING, False),
    # A payment takes a dozen replies: some are given up, then parked.
    Case(answer_late, SETTLE + PARK),
    Case(swallow_commits, SETTLE + PARK, False),
    Case(stall_commits, SETTLE + PARK, False),
    Case(stall_within, SETTLE),  # what settles stalls, what parks does not
]


class Visitor:
    """Asks a path again and again; `seen` has each status, and the seconds that it took."""

    def __init__(self, url: str) -> None:
        self.seen: list[tuple[int, float]] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.2):
            began = time.monotonic()
            status = requests.get(self._url, timeout=60).status_code
            self.seen.append((status, time.monotonic() - began))

    @property
    def statuses(self) -> set[int]:
        return {status for status, _ in self.seen}

    def leave(self) -> None:
        self._over.set()
        self._thread.join()


class Traffic:
    """Votes and level_ups from some clients, each posted once, until it ends."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._over = threading.Event()
        self._numbers = itertools.count()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._runs: list[Future[None]] = [
            self._pool.submit(self._run, client % 3 == 0) for client in range(CLIENTS)
        ]

    def _run(self, is_game: bool) -> None:
        while not self._over.wait(0.1):
            number = next(self._numbers)
            if is_game:
                self._crowd.post_level(f"p{number % PLAYERS}", number, wait=1)
            else:
                self._crowd.post_vote(f"v-{number}-p{number % PLAYERS}")

    def end(self) -> None:
        self._over.set()
        for run in self._runs:
            run.result()
        self._pool.shutdown()


@pytest.fixture
def visit() -> Iterator[Callable[[str], Visitor]]:
    visitors: list[Visitor] = []

    def start(url: str) -> Visitor:
        visitors.append(Visitor(url))
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.leave()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.go_wrong.__name__)
def test_it_costs_503s_in_time_and_no_worker_and_all_is_paid_once(
    case: Case, behind_proxy: Guerdon, proxy: Proxy, platform: Platform, vote_api: VoteApi,
    start_gunicorn: Callable[..., Gunicorn], start_crowd: Any, visit: Callable[[str], Visitor],
) -> None:  # fmt: skip
    vote_api.behave = answer_vote
    app = f"tests.world.senders:make_app(12000, {ANSWER_TIMEOUT})"
    server = start_gunicorn(behind_proxy.config.path, workers=2, app=app)
    workers = server.list_workers()
    crowd = start_crowd(server, CLIENTS)
    traffic = Traffic(crowd)
    wait_until(lambda: len(crowd.accepted) > 50)

    before = len(crowd.told)
    case.go_wrong(proxy)
    alive, ready = visit(f"{server.url}/healthz"), visit(f"{server.url}/readyz")
    wait_until(lambda: len(crowd.told) > before + CLIENTS * 3 // 2, 3 * case.slowest + 20)
    wait_until(lambda: case.is_ready or 503 in ready.statuses)  # it may have been asked late
    traffic.end()
    proxy.calm()
    alive.leave()
    ready.leave()
    wait_until(server.is_ready)
    during = crowd.told[before:]
    crowd.send_again()
    wait_until(lambda: is_over(behind_proxy))

    votes = [one for one in during if one.key[0] == "server.vote"]
    slowest = max(one.seconds for one in votes)
    slowest_level = max(one.seconds for one in during if one.key[0] == "level_up")
    told = dict(Counter(one.status for one in during))
    print(f"{told}, slowest vote {slowest:.1f} s, level_up {slowest_level:.1f} s")
    print(f"healthz {max(seconds for _, seconds in alive.seen):.2f} s, ready {ready.statuses}")
    assert told.keys() <= {200, 202, 204, 503}
    assert 503 in told or case.go_wrong is answer_late
    assert slowest < case.slowest + MARGIN
    # It settles, sends, and reads its answer before and after, in two dozen replies: each within a limit.
    assert slowest_level < 3 * case.slowest + MARGIN
    assert alive.statuses == {200}
    assert max(seconds for _, seconds in alive.seen) < MARGIN / 2
    assert (503 not in ready.statuses) == case.is_ready
    assert server.list_workers() == workers
    judge(
        behind_proxy,
        accepted=crowd.accepted,
        sent=crowd.sent,
        reporters={"level_up": ["g123"]},
        requests=platform.requests,
    )
    assert crowd.accepted == crowd.sent
