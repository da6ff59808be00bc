"""Every crash point of the two ways is killed, on each database, and the oracle finds nothing wrong."""

import ast
import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform
from app.testing.vote_api import VoteApi, answer, answer_vote
from app.testing.waiting import wait_until
from tests.model.oracle import ask, is_over, judge
from tests.numbers.test_rolling import NUMBERED_POINTS
from tests.polling.test_polling import POLLING_POINTS
from tests.privacy.test_erasing_killed import ERASING_POINTS
from tests.privacy.test_retention import RETENTION_POINTS
from tests.stories.test_bulk_retry import ACT_POINTS
from tests.stories.test_console_crashes import CONSOLE_POINTS
from tests.stories.test_counted_crashes import COUNTED_POINTS
from tests.stories.test_reconciled_crashes import RECONCILED_POINTS
from tests.world.crowd import KEY, PLAYERS, Crowd
from tests.world.servers import ROOT

# Kills of each point, in each way that passes it: at the first, all may die, later one worker alone. MySQL
# commits as MariaDB does, so there once has to do. A worker's start is most of what a kill costs.
KILLS = {"sqlite": 2, "mariadb": 2, "mysql": 1}
LEASE = 1500  # ms
SETTLING = tuple(point for point in POINTS if point.startswith("settling: "))
SENDING = tuple(
    point for point in POINTS if point.startswith(("outbox: ", "sending: ", "recording: "))
)
ASKED = "network: asked, answer unread"
# Each way, and the points it passes; what a way does is a function of the same name below.
WAYS: dict[str, Sequence[str]] = {
    "vote": (
        "delivery: verified", "delivery: looked", ASKED, "delivery: fetched",
        *SETTLING, "delivery: before the answer",
    ),
    "waiting_vote": (
        *(point for point in POINTS if point.startswith("inbox: ") and "closed" not in point),
        "delivery: fetched", "settling: before COMMIT", "settling: after COMMIT",
    ),
    "redelivered_vote": ("inbox: closed, before COMMIT", "inbox: closed, after COMMIT"),
    "level_up": ("event: checked", *SETTLING, *SENDING, ASKED, "event: before the answer"),
    "level_up_sent_later": (*SENDING, ASKED),
    "claim": tuple(point for point in POINTS if point.startswith("claims: ")),
}  # fmt: skip
killed: Counter[tuple[str, str]] = Counter()  # by point and database


class Stage:
    """A running service with its crowd, its vote API and its platform; ids never come twice."""

    def __init__(self, guerdon: Guerdon, server: Gunicorn, folder: Path, vote_api: VoteApi) -> None:
        self.guerdon = guerdon
        self.server = server
        self.crowd = Crowd(server.url)
        self.vote_api = vote_api
        self.errands: list[threading.Thread] = []
        self._folder = folder
        self._numbers = itertools.count()

    def make_ids(self, count: int, prefix: str = "v") -> list[str]:
        return [f"{prefix}-{n}-p{n % PLAYERS}" for n in itertools.islice(self._numbers, count)]

    def arm(self, point: str) -> None:
        (self._folder / point).touch()

    def count_kills(self) -> "Counter[str]":
        """By point. Who dies there says so, just after it has taken the file away."""
        return Counter(re.findall("killed at a crash point: (.*)", self.server.log.read_text()))


def vote(stage: Stage) -> None:
    """A few at once, one of them twice."""
    ids = stage.make_ids(3)
    stage.crowd.send_votes([*ids, ids[0]])


def waiting_vote(stage: Stage) -> None:
    """The vote API fails at first; then it is up to us."""
    stage.crowd.send_votes(stage.make_ids(2, "late"), once=True)


def redelivered_vote(stage: Stage) -> None:
    """It would wait for long in the inbox, but the platform brings it again."""
    stage.crowd.send_votes(stage.make_ids(2, "patient"))


def level_up(stage: Stage) -> None:
    """The game server waits for the platform's reply."""
    levels = [(f"p{n % PLAYERS}", n) for n in (int(id.split("-")[1]) for id in stage.make_ids(3))]
    stage.crowd.send_levels([*levels, levels[0]], wait=2)


def level_up_sent_later(stage: Stage) -> None:
    """It does not: the dispatcher sends."""
    levels = [(f"p{n % PLAYERS}", n) for n in (int(id.split("-")[1]) for id in stage.make_ids(2))]
    stage.crowd.send_levels(levels, wait=0)


def claim(stage: Stage) -> None:
    """A game server leases what is there and acknowledges each, until nothing is left."""
    ids = stage.make_ids(2)
    stage.crowd.send_votes(ids)
    stage.errands.append(threading.Thread(target=fetch_claims, args=(stage, ids)))
    stage.errands[-1].start()


def fetch_claims(stage: Stage, ids: Sequence[str]) -> None:
    """Until the claims of these votes are given out."""
    named = ", ".join(f"'{id}'" for id in ids)
    done = f"SELECT COUNT(*) FROM guerdon_claims WHERE state = 'done' AND event_id IN ({named})"

    def try_again() -> bool:
        body = {"server_id": "1", "limit": 10, "seconds": 1}
        status, leased = post_claims(stage, "lease", body)
        for one in leased["claims"] if status == 200 else ():
            post_claims(stage, f"{one['id']}/ack", {"lease": one["lease"]})
        return bool(ask(stage.guerdon, done)[0][0] == len(ids))

    wait_until(try_again)


def post_claims(stage: Stage, path: str, body: Any) -> tuple[int, Any]:
    try:
        response = stage.crowd.http.request("POST", f"/v1/claims/{path}", json=body, headers=KEY)
    except Exception:
        return 0, {}
    return response.status, response.json() if response.status == 200 else {}


DO: dict[str, Callable[[Stage], None]] = {
    function.__name__: function
    for function in (vote, waiting_vote, redelivered_vote, level_up, level_up_sent_later, claim)
}


def fail_at_first(api: VoteApi) -> Callable[[Any], None]:
    """A vote API that is ill when it is first asked for a vote whose name says so."""

    def behave(handler: Any) -> None:
        id = handler.path.rpartition("/")[2]
        prefix = id.partition("-")[0]
        if prefix != "v" and api.asked.count(id) == 1:
            wait = {"Retry_After": "60"} if prefix == "patient" else {}
            answer(handler, 503, {"error": "ill"}, **wait)
        else:
            answer_vote(handler)

    return behave


@pytest.fixture
def stage(
    open_crowded: Callable[..., Guerdon], vote_api: VoteApi, tmp_path: Path
) -> Iterator[Stage]:
    """Two workers whose leases are short, on a fresh database."""
    guerdon = open_crowded("0.1, 0.3")
    vote_api.behave = fail_at_first(vote_api)
    folder = tmp_path / "crash-points"
    folder.mkdir()
    app = f"tests.world.senders:make_app({LEASE})"
    server = Gunicorn(guerdon.config.path, app=app, **{VARIABLE: str(folder)})
    server.start()
    stage = Stage(guerdon, server, folder, vote_api)
    yield stage
    stage.crowd.close()
    server.stop()


def count_events(guerdon: Guerdon) -> int:
    return int(ask(guerdon, "SELECT COUNT(*) FROM guerdon_events")[0][0])


@pytest.fixture(scope="module", autouse=True)
def tell_kills() -> Iterator[None]:
    """With -s: how often each point was killed."""
    yield
    print(f"\n{'crash point':36} sqlite  mysql")
    for point in POINTS:
        print(f"{point:36} {killed[point, 'sqlite']:6} {killed[point, 'mysql']:6}")


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_any_point_of_a_way_loses_nothing_and_pays_nothing_twice(
    way: str, stage: Stage, platform: Platform, request: pytest.FixtureRequest
) -> None:
    family = stage.guerdon.database.family
    kills = int(
        os.environ.get("GUERDON_KILLS") or KILLS[request.node.callspec.params["database_url"]]
    )
    for turn, point in itertools.product(range(kills), WAYS[way]):
        stage.arm(point)
        DO[way](stage)
        wait_until(lambda p=point, t=turn: stage.count_kills()[p] > t, pause=0.02)
        if turn == 0 and point.endswith("after COMMIT"):
            stage.server.kill_all()  # the other worker too, wherever it is
            stage.server.start(wait=False)
        killed[point, family] += 1
    stage.crowd.finish()
    for errand in stage.errands:
        errand.join()
    wait_until(lambda: is_over(stage.guerdon))
    paid = count_events(stage.guerdon)
    stage.crowd.send_again()

    judge(
        stage.guerdon,
        accepted=stage.crowd.accepted,
        sent=stage.crowd.sent,
        reporters={"level_up": ["g123"]},
        requests=platform.requests,
    )
    assert stage.crowd.accepted == stage.crowd.sent
    assert count_events(stage.guerdon) == paid == len(stage.crowd.sent)  # it healed by itself
    assert stage.server.is_ready()
    assert stage.count_kills() == Counter(list(WAYS[way]) * kills)


def test_each_point_lies_on_a_way_and_each_call_names_a_point() -> None:
    called = Counter(
        node.args[0].value
        for path in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reach"
    )  # fmt: skip

    assert called == Counter(POINTS)  # each in one place
    ways = {point for points in WAYS.values() for point in points}
    others = {
        *COUNTED_POINTS, *RECONCILED_POINTS, *NUMBERED_POINTS, *ACT_POINTS, *ERASING_POINTS,
        *RETENTION_POINTS, *CONSOLE_POINTS, *POLLING_POINTS,
    }  # fmt: skip
    assert ways | others == set(POINTS)
