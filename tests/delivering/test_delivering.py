"""Consoles are served by threads of their own, in workers too: by one process each, and none for another."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.database.models import Claim
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import queue_claims
from app.playground.sections import divert
from app.porch.claims import GameServer
from app.porch.types import Event, Player
from app.testing.gunicorn import Gunicorn
from app.testing.waiting import wait_until
from tests.world import rcon_server
from tests.world.looking_hooks import LOOKS_UP
from tests.world.rcon_server import PASSWORD, RconServer

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CONSOLE = """
[plugins.rcon.servers.{name}]
address = "{address}"
password = "{password}"
servers = ["{name}"]
game = "minecraft"
"""


@pytest.fixture
def servers() -> Iterator[dict[str, RconServer]]:
    servers = {"one": RconServer(), "two": RconServer()}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture
def config(
    write_config: Callable[..., Path], open_service: Callable[..., Guerdon],
    servers: dict[str, RconServer],
) -> Path:  # fmt: skip
    """Of a service with two consoles, migrated."""
    more = "".join(
        CONSOLE.format(name=name, address=server.address, password=PASSWORD)
        for name, server in servers.items()
    )
    return open_service(more=more).config.path


@pytest.fixture
def open_another(config: Path) -> Iterator[Callable[[], Guerdon]]:
    """One that goes by real clocks, as threads do."""
    opened: list[Guerdon] = []

    def open_one() -> Guerdon:
        opened.append(open_guerdon(config))
        return opened[-1]

    yield open_one
    for guerdon in opened:
        guerdon.close()


def queue(guerdon: Guerdon, server_id: str, count: int) -> None:
    claims = [
        (Event("a", "server.vote", f"v{n}", server_id), Player(1, "Bob"), {"command": f"give Bob c{n} 1"})
        for n in range(count)
    ]  # fmt: skip
    guerdon.database.transact(lambda is_retry: queue_claims(claims, guerdon.now()))


def count(guerdon: Guerdon, server_id: str, state: str = "done") -> int:
    where = (Claim.server_id == server_id) & (Claim.state == state)
    with guerdon.database.connection_context():
        return int(Claim.select().where(where).count())


def test_it_works(open_another: Callable[[], Guerdon], servers: dict[str, RconServer]) -> None:
    """Its dispatcher delivers; one console that does not answer keeps the other waiting for nothing."""
    servers["one"].delay, servers["one"].behave = 3.0, rcon_server.answer_late
    guerdon = open_another()
    guerdon.dispatcher.start()
    queue(guerdon, "one", 1)
    queue(guerdon, "two", 30)

    wait_until(lambda: count(guerdon, "two") == 30)
    assert count(guerdon, "one") == 0
    wait_until(lambda: count(guerdon, "one") == 1)
    assert servers["two"].given.total() == 30


def test_a_console_is_one_processs_and_the_next_ones_once_that_is_gone(
    open_another: Callable[[], Guerdon], servers: dict[str, RconServer]
) -> None:
    first, second = open_another(), open_another()
    queue(first, "one", 1)
    first.delivering.serve_once()
    queue(first, "one", 1)
    second.delivering.serve_once()
    assert (count(first, "one"), count(first, "one", "ready")) == (1, 1)

    first.delivering.stop()
    second.delivering.serve_once()
    assert count(second, "one") == 2


@on_sqlite
def test_workers_deliver(
    config: Path, open_another: Callable[[], Guerdon], servers: dict[str, RconServer]
) -> None:
    server = Gunicorn(config)
    server.start()
    try:
        guerdon = open_another()
        for name in servers:
            queue(guerdon, name, 50)
        wait_until(lambda: count(guerdon, "one") + count(guerdon, "two") == 100)
    finally:
        server.stop()
    assert [one.given.total() for one in servers.values()] == [50, 50]
    assert max(one.most_connected for one in servers.values()) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_consoles_may_be_switched_off(
    write_config: Callable[..., Path], open_service: Callable[..., Guerdon],
    servers: dict[str, RconServer],
) -> None:  # fmt: skip
    console = CONSOLE.format(name="one", address=servers["one"].address, password=PASSWORD)
    guerdon = open_service(more=f"[dispatcher]\nconsoles = false\n{console}")
    assert guerdon.delivering.consoles == []
    assert not guerdon.delivering.delivers_to("one")


@pytest.mark.parametrize(
    "said",
    [
        '"none"', "[1]", '[GameServer("other", "a", ["1"])]', '[GameServer("teller", "a b", ["1"])]',
        '[GameServer("teller", "a", [])]', '[GameServer("teller", "a", ["1"], 0)]', "1 / 0",
    ],
)  # fmt: skip
@on_sqlite
def test_what_a_plugin_says_of_its_consoles_is_checked(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], said: str
) -> None:
    source = (
        "from app import GameServer, hookimpl\n\n@hookimpl\ndef game_servers(settings):\n"
        f"    return {said}\n"
    )
    with pytest.raises(Exception, match="game_servers"):
        open_service(more=add_plugin(source, "teller"))


@on_sqlite
def test_what_a_plugin_answers_is_checked_too(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], clock: Any
) -> None:
    """What is no outcome is unknown, what it raises too; only NotSent is sent again."""
    source = """
from app import ClaimPlan, ClaimResult, ClaimState, GameServer, NotSent, hookimpl

@hookimpl
def game_servers():
    return [GameServer("teller", "a", ["1"])]

@hookimpl
def plan_claim(claim):
    return ClaimPlan(claim.payload["command"])

@hookimpl
def send_claim(plan):
    return eval(plan.command, globals())
"""
    guerdon = open_service(more=add_plugin(source, "teller"))
    answers = {
        'ClaimResult(ClaimState.DONE, "ok")': "done", "ClaimResult(ClaimState.READY)": "unknown",
        '"done"': "unknown", "1 / 0": "unknown", "exit()": "unknown", "None": "ready",
        'ClaimResult("refused", chr(0) + chr(0xd800))': "refused",
        '(_ for _ in ()).throw(NotSent("later"))': "ready",
    }  # fmt: skip
    for number, command in enumerate(answers):
        event = Event("a", "server.vote", f"v{number}", "1", "Bob")
        claim = (event, Player(1, "Bob"), {"command": command})
        guerdon.database.transact(lambda is_retry, c=claim: queue_claims([c], guerdon.now()))
        guerdon.delivering.serve_once()
        clock.advance(120)
        with guerdon.database.connection_context():
            row: Any = Claim.select().order_by(Claim.id.desc()).get()
            assert row.state == answers[command], command
            Claim.delete().execute()
    assert GameServer("a", "b", ["1"]).takes_name("any name")


READS = (
    LOOKS_UP
    + """
from app import ClaimPlan, ClaimResult, ClaimState, GameServer, IfUnknown, hookimpl

@hookimpl
def game_servers():
    return [GameServer("reads", name, [name], 2, lists_players=True) for name in ("a", "b")]

@hookimpl
def plan_claim(claim):
    look()
    return ClaimPlan("x", needs_player=True, if_unknown=IfUnknown.CHECK, check="seen")

@hookimpl
def list_online():
    look()
    return frozenset(["Bob"])

@hookimpl
def send_claim(claim):
    look()
    both.wait(20)  # in two threads, each with its connection
    return ClaimResult(ClaimState.UNKNOWN)

@hookimpl
def check_claim():
    look()
    return True
"""
)


def test_what_hooks_open_in_threads_of_consoles_goes_back_to_the_pool(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    guerdon = open_service(more=add_plugin(READS, "reads"))
    for name in ("a", "b"):
        queue(guerdon, name, 2)
    with ThreadPoolExecutor(1) as threads:  # as those of consoles, it lives on
        for state in ("unknown", "done"):
            threads.submit(guerdon.delivering.serve_once).result()
            assert (count(guerdon, "a", state), count(guerdon, "b", state)) == (2, 2)
            assert guerdon.database.pool.count_taken() == 1  # that of the thread that notes


def test_the_playground_delivers_nothing() -> None:
    """Its copy of a config has the studio's consoles, and speaks to none of them."""
    tables = {"plugins": {"rcon": {"servers": {}}}, "dispatcher": {"in_workers": False}}
    diverted = divert(tables, "http://127.0.0.1:1", Path("own.db"))
    assert diverted["dispatcher"] == {"in_workers": True, "consoles": False}
