"""The turn: two payments for one player never run at the same time, on any host or node."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.turns import make_turn
from app.porch.types import Player
from app.testing.books import read_books
from app.testing.database_servers import DatabaseServer
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import FastVoteApi
from app.testing.waiting import wait_until
from tests.world.books import make_work, settle
from tests.world.galera import GaleraCluster, write_host
from tests.world.natural import RULES, XP, post_at_once
from tests.world.proxying import Proxy

VOTES = 600
QUICK = "[inbox]\nretry_delays = [0.2, 0.5]\n"


@pytest.fixture
def fast_api() -> Iterator[FastVoteApi]:
    api = FastVoteApi()
    yield api
    api.close()


def check_paid_in_turn(guerdon: Guerdon, ids: list[str], statuses: list[int]) -> None:
    """Every vote is paid, at once or from the inbox, and no payment overwrote another's sum."""
    assert set(statuses) <= {204, 503}, Counter(statuses)
    wait_until(lambda: len(read_books(guerdon).events) == len(ids), 60)
    wait_until(lambda: not read_books(guerdon).waiting)
    books = read_books(guerdon)
    assert (books.events, books.grants) == (sorted(ids), len(ids))
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql("SELECT xp FROM xp").fetchall()
    assert list(rows) == [(30 * len(ids),)]


def test_it_works(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], fast_api: FastVoteApi,
    start_gunicorn: Callable[..., Any],
) -> None:  # fmt: skip
    """A plugin that reads, changes and saves, and one player whose votes come to two hosts at once."""
    sections = ALL_PLUGINS.replace("{vote_api}", fast_api.url) + add_plugin(XP, "xp")
    guerdon = open_service(RULES, more=QUICK, plugins=sections)
    hosts = [start_gunicorn(guerdon.config.path, workers=2) for _ in range(2)]
    ids = [f"v-{number}-Bob" for number in range(VOTES)]

    statuses = post_at_once(hosts, ids)

    print(Counter(statuses))
    check_paid_in_turn(guerdon, ids, statuses)


def test_two_nodes_of_a_cluster_take_turns_too(
    galera: GaleraCluster, add_plugin: Callable[..., str], fast_api: FastVoteApi,
    start_gunicorn: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    sections = ALL_PLUGINS + add_plugin(XP, "xp")
    database = galera.create_database()
    paths = []
    for node in galera.nodes[:2]:
        folder = tmp_path / node.name
        url = node.url(database)
        paths.append(write_host(folder, url, sections, RULES, QUICK, fast_api.url))
        (folder / "plugins").symlink_to(tmp_path / "plugins")
    guerdon = open_guerdon(paths[0])
    guerdon.migrate()
    add_player(guerdon, "Bob")
    ids = [f"v-{number}-Bob" for number in range(VOTES)]
    before = galera.count_conflicts()

    hosts = [start_gunicorn(path, workers=2) for path in paths]
    statuses = post_at_once(hosts, ids)

    print(Counter(statuses), galera.count_conflicts() - before, "conflicts")
    check_paid_in_turn(guerdon, ids, statuses)
    assert galera.count_conflicts() > before
    guerdon.close()


def count_deadlocks(server: DatabaseServer) -> int:
    metrics = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
    return int(server.run(metrics)[0][0])


@pytest.mark.on_servers
def test_batches_with_the_same_players_in_any_order_never_wait_in_a_ring(
    open_service: Callable[..., Guerdon], database_server: DatabaseServer
) -> None:
    guerdon = open_service()
    names = [f"p{number}" for number in range(20)]
    for name in names:
        add_player(guerdon, name)
    before = count_deadlocks(database_server)

    def pay(racer: int) -> set[str]:
        states = set()
        for turn in range(40):
            order = random.Random(100 * racer + turn).sample(names, len(names))
            works = [make_work(f"{racer}-{turn}-{name}", nickname=name) for name in order]
            states |= {outcome.state for outcome in settle(guerdon, *works)}
        return states

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pay, range(4))) == [{"settled"}] * 4
    assert count_deadlocks(database_server) == before
    assert read_books(guerdon).gold == {"Bob": "0.00"} | dict.fromkeys(names, "16000.00")


def test_a_player_who_is_paid_twice_in_a_batch_or_made_in_it_has_one_turn(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    sections = ALL_PLUGINS + add_plugin(XP, "xp")
    more = '[players]\nunknown = "create"\n'
    guerdon = open_service(RULES, more=more, plugins=sections)
    votes = [make_work(f"v{n}", nickname=name) for n, name in enumerate(["Bob", "New"] * 3)]

    assert [one.state for one in settle(guerdon, *votes)] == ["settled"] * 6

    with guerdon.database.connection_context():
        ask = guerdon.database.execute_sql
        assert list(ask("SELECT xp FROM xp").fetchall()) == [(90,), (90,)]
        turns = ask("SELECT version FROM guerdon_turns").fetchall()
    assert list(turns) == ([] if guerdon.database.family == "sqlite" else [(1,), (1,)])


@pytest.mark.parametrize("id", [7, "p" * 200, "\ud800", b"\xff" * 16, "é", "e\u0301"])
def test_a_turn_is_a_number_whatever_the_id_and_another_for_each(id: Any) -> None:
    turn = make_turn(Player(id, "Bob").key)

    assert 0 <= turn < 2**63
    assert turn == make_turn(Player(id, "Alice").key)
    assert turn != make_turn("another")


@pytest.mark.on_servers
def test_turns_are_taken_in_one_order_by_everybody(
    open_service: Callable[..., Guerdon], proxied_url: str, proxy: Proxy
) -> None:
    """Two batches that took them in orders of their own would wait for each other in a ring."""
    guerdon = open_service(url=proxied_url)
    nicknames = [f"p{number}" for number in range(30)]
    for nickname in nicknames:
        add_player(guerdon, nickname)
    said: list[bytes] = []
    proxy.weather = said.append

    for batch in (nicknames, nicknames[::-1]):
        settle(guerdon, *(make_work(f"{batch[0]}-{one}", nickname=one) for one in batch))

    taken = [
        [int(number) for number in re.findall(rb"\((\d+), 1\)", data)]
        for data in said
        if b"INSERT INTO guerdon_turns" in data
    ]
    assert [len(numbers) for numbers in taken] == [30, 30]
    assert taken[0] == taken[1] == sorted(taken[0])
