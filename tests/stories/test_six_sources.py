"""Two Guerdons on one database, six sources, three games, kills and cuts at random: all books agree.

It takes half a minute; by hand ten minutes:

    GUERDON_STORY_SECONDS=600 pytest -s tests/stories/test_six_sources.py

`-s` shows what there was of each. GUERDON_STORY_REAL=1 leaves leases and pauses as long as they are, so that
after the storm it takes some minutes until all is over. GUERDON_SEED=NUMBER throws the same dice again.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.delivering.resolving import Verdict, list_claims, resolve_claim
from app.guerdon import Guerdon
from app.porch.claims import ClaimState
from app.porch.errors import GuerdonError
from app.testing.gunicorn import Gunicorn
from app.testing.players import add_player
from app.testing.ports import find_free_port
from app.testing.services import TOKEN
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.model.oracle import ask
from tests.model.sources_oracle import OVER, judge_consoles, judge_payments
from tests.world import rcon_server, rust_server
from tests.world.moody_games import Game, Operator, RconGame, RustGame
from tests.world.post import Host, Post
from tests.world.servers import find_tracebacks
from tests.world.six_sites import NEWCOMERS, PLAYERS, RULES, SECTIONS, UNSPEAKABLE, Sites

SECONDS = float(os.environ.get("GUERDON_STORY_SECONDS") or 20)
SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))
IS_REAL = bool(os.environ.get("GUERDON_STORY_REAL"))
APP = "app.serving.wsgi:app" if IS_REAL else "tests.world.hurried:make_app()"
PATIENCE = 1200 if IS_REAL else 240  # seconds
RATE = 4.0  # votes a second of each source
PLUGINS = f"""
[plugins.gamemonitoring]
api_url = "{{vote_api}}"
tokens = ["{TOKEN}"]
[plugins.gold]
[plugins.claim_queue]
[inbox]
retry_delays = [0.3, 1.0]
"""
GAMES = """
[plugins.rcon.servers.survival]
address = "127.0.0.1:{first}"
password = "{rcon}"
servers = ["1"]
game = "minecraft"
connections = 2
timeout = 6
[plugins.rcon.servers.survival.commands.gift]
run = "give {{nickname}} c{{claim_id}} 1"
[plugins.rcon.servers.creative]
address = "127.0.0.1:{second}"
password = "{rcon}"
servers = ["2"]
game = "minecraft"
connections = 3
timeout = 6
[plugins.rcon.servers.creative.commands.gift]
run = "give {{nickname}} c{{claim_id}} 1"
[plugins.webrcon.servers.rust]
address = "ws://127.0.0.1:{third}"
password = "{webrcon}"
servers = ["3"]
connections = 2
timeout = 6
[plugins.webrcon.servers.rust.commands.gift]
run = "inventory.giveto {{nickname}} c{{claim_id}} 1"
done = ["^giving "]
if_unknown = "check"
check = "was c{{claim_id}} given"
happened = "^yes"
not_happened = "^no"
"""


@pytest.fixture
def games() -> Iterator[dict[str, Game]]:
    """By their servers' ids."""
    everybody = [*PLAYERS, *NEWCOMERS]
    games: dict[str, Game] = {
        "1": RconGame(2, everybody, SEED + 1), "2": RconGame(3, everybody, SEED + 2),
        "3": RustGame(2, everybody, SEED + 3),
    }  # fmt: skip
    yield games
    for game in games.values():
        game.close()


@pytest.fixture
def lists() -> Iterator[VoteApi]:
    lists = VoteApi()
    yield lists
    lists.close()


@pytest.fixture
def open_hosts(
    open_service: Callable[..., Guerdon], games: dict[str, Game], vote_api: VoteApi, lists: VoteApi,
    start_gunicorn: Callable[..., Gunicorn], tmp_path: Path,
) -> Callable[[], tuple[Guerdon, list[Gunicorn], list[Host]]]:  # fmt: skip
    """A service to look into the books with, and two that serve the same database."""

    def open_all() -> tuple[Guerdon, list[Gunicorn], list[Host]]:
        ports = [find_free_port(), find_free_port()]
        said = GAMES.format(
            first=games["1"].port, second=games["2"].port, third=games["3"].port,
            rcon=rcon_server.PASSWORD, webrcon=rust_server.PASSWORD,
        )  # fmt: skip
        more = SECTIONS.format(votifier=ports[0], lists=lists.url) + said
        guerdon = open_service(RULES, more, PLUGINS)
        for name in (*PLAYERS, UNSPEAKABLE):
            add_player(guerdon, name)
        guerdon.database.close_all()
        second = tmp_path / "second"
        second.mkdir()
        config = guerdon.config.path.read_text().replace(f":{ports[0]}", f":{ports[1]}")
        (second / "guerdon.toml").write_text(config)
        (second / "rewards.toml").write_text(RULES)
        paths = [guerdon.config.path, second / "guerdon.toml"]
        servers = [start_gunicorn(path, app=APP) for path in paths]
        return guerdon, servers, [
            Host(server.url, port) for server, port in zip(servers, ports, strict=True)
        ]  # fmt: skip

    return open_all


class Fate:
    """Kills hosts and their workers, restarts games, moves players and has a person decide: at random."""

    def __init__(self, guerdon: Guerdon, servers: list[Gunicorn], games: dict[str, Game]) -> None:
        self.kills = 0
        self.operator = Operator(self._list_unknown, self._resolve)
        self._guerdon, self._servers, self._games = guerdon, servers, games
        self._dice = random.Random(SEED)

    def rage(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < deadline:
            time.sleep(self._dice.uniform(0.5, 2.5))
            deeds = [self._kill_host, self._restart_game, self._kill_worker]
            # Each of them at least once, whatever the dice say.
            (deeds[turn] if turn < len(deeds) else self._dice.choice(deeds))()
            turn += 1
            for game in self._games.values():
                game.change_players()
            with self._guerdon.database.give_back():
                self.operator.look(self._games.values(), self._dice)

    def _kill_host(self) -> None:
        server = self._dice.choice(self._servers)
        server.kill_all()
        self.kills += 1
        time.sleep(self._dice.uniform(0, 1.0))
        server.start(wait=False)

    def _kill_worker(self) -> None:
        if workers := self._dice.choice(self._servers).list_workers():
            os.kill(self._dice.choice(workers), signal.SIGKILL)
            self.kills += 1

    def _restart_game(self) -> None:
        self._dice.choice(list(self._games.values())).restart()

    def _list_unknown(self) -> list[int]:
        database = self._guerdon.database
        page = list_claims(database, [ClaimState.UNKNOWN], self._guerdon.now(), limit=200)
        return [one.id for one in page.rows if one.server_id != "3"]

    def _resolve(self, claim: int, was_given: bool) -> bool:
        verdict = Verdict.GIVEN if was_given else Verdict.AGAIN
        database, now = self._guerdon.database, self._guerdon.now()
        try:
            resolve_claim(database, claim, verdict, "anna", now)
        except GuerdonError:
            return False
        return True


def is_over(guerdon: Guerdon, sites: Sites) -> bool:
    """Whether nothing is on its way any more, and every vote that a list has is claimed there."""
    boxes = ("guerdon_inbox", "guerdon_reports")
    waiting = [
        ask(guerdon, f"SELECT COUNT(*) FROM {box} WHERE state IN ('ready', 'leased')")[0][0]
        for box in boxes
    ]
    states = {state for (state,) in ask(guerdon, "SELECT DISTINCT state FROM guerdon_claims")}
    asked = ask(guerdon, "SELECT COUNT(*) FROM guerdon_claims WHERE state = 'unknown'"
                         " AND server_id = '3'")[0][0]  # fmt: skip
    return not (any(waiting) or states - set(OVER) or asked or sites.list_unclaimed())


def read_unknown(guerdon: Guerdon) -> int:
    """How many claims are unknown, as /metrics says."""
    said = guerdon.watch.write_metrics().decode()
    [line] = [one for one in said.splitlines() if one.startswith('guerdon_claims{state="unknown"')]
    return int(float(line.rpartition(" ")[2]))


@pytest.mark.timeout(PATIENCE + 300 + 2 * SECONDS)
@pytest.mark.on_servers
def test_it_works(
    open_hosts: Callable[[], tuple[Guerdon, list[Gunicorn], list[Host]]], games: dict[str, Game],
    vote_api: VoteApi, lists: VoteApi,
) -> None:  # fmt: skip
    print(f"GUERDON_SEED={SEED}, {SECONDS:g} s")
    guerdon, servers, hosts = open_hosts()
    sites = Sites(vote_api, lists, SEED)
    post, fate = Post(sites, hosts, SEED), Fate(guerdon, servers, games)
    join = threading.Timer(SECONDS / 2, lambda: [add_player(guerdon, name) for name in NEWCOMERS])
    join.start()
    try:
        # At a list a player votes once a day, so that there are only so many votes.
        few = {"listforge": min(RATE, 800 / SECONDS)}
        post.begin(dict.fromkeys(sites.makers, RATE) | few)
        fate.rage(SECONDS)
        sites.calm()
        for game in games.values():
            game.calm()
        join.join()
        wait_until(lambda: all(server.is_ready() for server in servers))
        post.finish()
        wait_until(lambda: is_over(guerdon, sites), timeout=PATIENCE, pause=0.3)
        again = post.send_again(random.Random(SEED).sample(list(post.sent.values()), 60))
        # Among these may be one that was sent once and lost.
        wait_until(lambda: is_over(guerdon, sites), timeout=PATIENCE, pause=0.3)
    finally:
        join.cancel()
        post.close()

    paid = judge_payments(guerdon, post.sent, post.accepted)
    states = judge_consoles(guerdon, games, fate.operator, fate.kills)
    print(f"paid {paid.total()}: {dict(paid)}, brought twice {post.twice}")
    print(f"answers: {dict(sorted(post.statuses.items()))}")
    print(f"claims: {dict(sorted(states.items()))}")
    print(f"kills {fate.kills}, restarts {[one.restarts for one in games.values()]}")
    print(f"decided: given {len(fate.operator.given)}, again {fate.operator.again.total()}")
    for server, game in games.items():
        print(f"game {server}: {dict(game.fates)}")

    assert paid.keys() == sites.makers.keys()
    assert all(200 <= status < 300 for status in again)
    assert {status for _, status in post.statuses} <= {0, 200, 204, 500, 503}
    unknown = sum(states[f"{server} unknown"] for server in games)
    assert unknown
    assert read_unknown(guerdon) == unknown
    reports = dict(ask(guerdon, "SELECT state, COUNT(*) FROM guerdon_reports GROUP BY state"))
    assert reports == {"delivered": paid["listforge"]}
    dead = ask(guerdon, "SELECT event_id, last_error FROM guerdon_inbox WHERE state <> 'settled'")
    assert dead == []
    for server in servers:
        assert find_tracebacks(server.log.read_text()) == []
