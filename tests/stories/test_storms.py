"""Storms: cuts, swallowed COMMITs, stalls, kills, an ill vote API and a moody platform, all at once."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from app.guerdon import Guerdon
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform, answer_late, answer_rightly, answer_status, hang_up
from app.testing.vote_api import VoteApi, answer, answer_vote, drip
from app.testing.waiting import wait_until
from tests.model.oracle import ask, is_over, judge
from tests.world.crowd import PLAYERS, Crowd
from tests.world.proxying import CUT, CUT_AFTER, SWALLOW, Fault, Proxy

SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))
SECONDS = float(os.environ.get("GUERDON_STORM") or 12)
COMMIT = b"\x03COMMIT"  # a 3 is the protocol's word for a query
LEASE = 6000  # ms; longer than what a stall and a slow answer take


class Weather:
    """What befalls a statement: mostly nothing, COMMITs fare worst. Its dice are the seed's."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def __call__(self, data: bytes) -> Fault | None:
        luck = self._dice.random()
        if COMMIT in data[:16]:
            if luck < 0.1:
                return CUT if luck < 0.05 else CUT_AFTER
            return SWALLOW if luck < 0.105 else None
        if data[4:5] != b"\x03" or luck > 0.008:
            return None
        if luck < 0.003:
            return CUT
        return CUT_AFTER if luck < 0.005 else Fault("stall", self._dice.uniform(0.1, 1.5))


def make_script(dice: random.Random) -> Callable[[Any], None]:
    """A vote API that plays another part of its script each time; a vote comes right in the end."""

    def fail(handler: Any) -> None:
        answer(handler, 500, {"error": "ill"})

    def leave(handler: Any) -> None:
        handler.close_connection = True
        handler.connection.shutdown(2)

    def babble(handler: Any) -> None:
        answer(handler, 200, b"<html>")

    def mistake(handler: Any) -> None:
        answer(handler, 200, {"response": {"id": "v-0-p0x", "nickname": "p0"}})

    def linger(handler: Any) -> None:
        time.sleep(dice.uniform(0.1, 1.0))
        answer_vote(handler)

    parts = [fail, leave, babble, mistake, linger, lambda handler: drip(handler, 0.2)]

    def behave(handler: Any) -> None:
        (dice.choice(parts) if dice.random() < 0.2 else answer_vote)(handler)

    return behave


def make_mood(dice: random.Random) -> Callable[[Any], None]:
    """The same for a platform; what it says is sent again, it says that it may be."""
    parts = [
        hang_up, answer_status(500), answer_status(503, Retry_After="1"), answer_late(0.5),
        answer_status(200, b"garbage"), answer_status(200, b"[]"), answer_late(3.0),
    ]  # fmt: skip

    def behave(handler: Any) -> None:
        (dice.choice(parts) if dice.random() < 0.25 else answer_rightly)(handler)

    return behave


def make_sure(proxy: Proxy) -> None:
    """Of each kind at least one, whatever the dice say."""
    for fault in (CUT, CUT_AFTER, CUT, CUT_AFTER, CUT, SWALLOW, CUT, CUT_AFTER, CUT):
        proxy.strike(COMMIT, fault)
    proxy.strike(b"\x03SELECT", CUT)
    proxy.strike(b"\x03SELECT", Fault("stall", 0.5))


def storm(server: Gunicorn, crowd: Crowd, dice: random.Random) -> None:
    """Votes and level_ups without end, and a kill every few seconds."""
    deadline, number = time.monotonic() + SECONDS, 0
    kill_at = time.monotonic() + 3
    while time.monotonic() < deadline:
        players = [f"p{dice.randrange(PLAYERS)}" for _ in range(8)]
        ids = [f"v-{number + n}-{player}" for n, player in enumerate(players)]
        crowd.send_votes([*ids, dice.choice(ids)])
        levels = [(player, number + n) for n, player in enumerate(players[:4])]
        crowd.send_levels([*levels, dice.choice(levels)], wait=dice.choice([0, 0, 2]))
        number += 8
        time.sleep(0.2)
        if time.monotonic() > kill_at:
            os.kill(dice.choice(wait_until(server.list_workers)), signal.SIGKILL)
            kill_at = time.monotonic() + 4


def test_a_storm_on_every_side_loses_nothing_and_pays_nothing_twice(
    behind_proxy: Guerdon, proxy: Proxy, platform: Platform, vote_api: VoteApi,
    start_gunicorn: Any, start_crowd: Any,
) -> None:  # fmt: skip
    print(f"GUERDON_SEED={SEED}")
    dice = random.Random(SEED)
    vote_api.behave, platform.behave = make_script(dice), make_mood(dice)
    path, app = behind_proxy.config.path, f"tests.world.senders:make_app({LEASE})"
    server = start_gunicorn(path, app=app)
    crowd = start_crowd(server, 24)
    proxy.weather = Weather(dice)
    make_sure(proxy)
    storm(server, crowd, dice)
    proxy.calm()
    vote_api.behave, platform.behave = answer_vote, answer_rightly
    crowd.finish()
    wait_until(lambda: is_over(behind_proxy))

    struck = Counter(fault.kind for fault in proxy.struck)
    states = dict(ask(behind_proxy, "SELECT state, COUNT(*) FROM guerdon_reports GROUP BY state"))
    print(dict(crowd.count_statuses()), dict(struck), states, len(platform.requests))

    if behind_proxy.database.family == "mysql":
        assert set(struck) == {"cut", "cut after", "swallow", "stall"}
    judge(
        behind_proxy,
        accepted=crowd.accepted,
        sent=crowd.sent,
        reporters={"level_up": ["g123"]},
        requests=platform.requests,
    )
    assert crowd.accepted == crowd.sent
    assert states.keys() == {"delivered"}
