"""Two hosts on two nodes of a cluster: each vote is paid once, whatever becomes of a node."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pymysql
import pytest

from app.database.opening import open_database
from app.opening import open_guerdon
from app.testing.deliveries import API_KEY
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import Platform, answer_late
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import FastVoteApi
from app.testing.waiting import wait_until
from tests.database.test_migrating import start_migrate
from tests.reporting.test_reports_under_fire import GameServer, make_level, queue
from tests.stories.test_under_fire import PLAYERS, REWARDS, Load, check_books, query, read_readiness
from tests.world.galera import GaleraCluster, Node, write_host

EVERYTHING = """
[plugins.g123]
host = "{platform}"
app_id = "game-7"
app_secret = "g123-secret-73a9"
"""
SLOWEST = 15  # seconds that an answer may take while a node goes


class Host(NamedTuple):
    """A gunicorn, the node it writes to, and deliveries to it."""

    server: Gunicorn
    node: Node
    load: Load


@pytest.fixture
def cluster(galera: GaleraCluster) -> Iterator[GaleraCluster]:
    yield galera
    galera.mend()


@pytest.fixture
def fast_api() -> Iterator[FastVoteApi]:
    api = FastVoteApi()
    yield api
    api.close()


@pytest.fixture
def database(cluster: GaleraCluster) -> str:
    return cluster.create_database()


@pytest.fixture
def configs(
    cluster: GaleraCluster, database: str, tmp_path: Path, fast_api: FastVoteApi, platform: Platform
) -> list[Path]:
    """The configs of two hosts, on the first and the second node."""
    plugins = ALL_PLUGINS + EVERYTHING.replace("{platform}", platform.url)
    return [
        write_host(
            tmp_path / node.name, node.url(database), plugins, REWARDS, vote_api=fast_api.url
        )
        for node in cluster.nodes[:2]
    ]


@pytest.fixture
def start_hosts(
    cluster: GaleraCluster, database: str, configs: list[Path], start_gunicorn: Any
) -> Iterator[Callable[..., list[Host]]]:
    """Migrate from both hosts at once and start them; `threads` deliver to each."""
    hosts: list[Host] = []

    def start(threads: int = 8) -> list[Host]:
        migrations = [start_migrate(path) for path in configs]
        outputs = [process.communicate(timeout=60) for process in migrations]
        assert [process.returncode for process in migrations] == [0, 0], outputs
        done = Counter(line for output, _ in outputs for line in output.splitlines())
        assert done.pop("the tables are up to date") == 1  # one did all, the other found it done
        assert done["migration 0001_ledger"] == 1
        assert set(done.values()) == {1}
        names = ", ".join(f"('p{n}', 'p{n}', 0, 0)" for n in range(PLAYERS))
        columns = "nickname, folded, gold, created_at"
        cluster.nodes[2].run(f"INSERT INTO players ({columns}) VALUES {names}", database)
        for path, node in zip(configs, cluster.nodes, strict=False):
            server = start_gunicorn(path, workers=2)
            hosts.append(Host(server, node, Load(server.url, threads)))
        return hosts

    yield start
    for host in hosts:
        host.load.close()


@pytest.fixture
def check_all_books(
    cluster: GaleraCluster, database: str, configs: list[Path]
) -> Iterator[Callable[..., None]]:
    """Every node says that these votes are paid, once, and nothing else is."""
    databases = [open_database(node.url(database)) for node in cluster.nodes]
    rules = SimpleNamespace(rewards_file=configs[0].parent / "rewards.toml")

    def check(ids: list[str]) -> None:
        for one in databases:
            check_books(SimpleNamespace(database=one, config=rules), ids)  # type: ignore[arg-type]

    yield check
    for one in databases:
        one.close_all()


def test_it_works(start_hosts: Any, check_all_books: Any) -> None:
    first, second = start_hosts()

    assert (first.load.post("v-1-p1"), second.load.post("v-2-p1")) == (204, 204)
    assert (first.load.post("v-2-p1"), second.load.post("v-1-p1")) == (204, 204)

    check_all_books(["v-1-p1", "v-2-p1"])
    assert [read_readiness(host.load) for host in (first, second)] == [200, 200]


def test_the_same_votes_to_both_hosts_at_the_same_moment_are_paid_once_each(
    cluster: GaleraCluster, start_hosts: Any, check_all_books: Any
) -> None:
    hosts = start_hosts(threads=16)
    ids = [f"v-{n}-p{n % PLAYERS}" for n in range(400)]
    together = {id: threading.Barrier(2) for id in ids}
    before = cluster.count_conflicts()

    def insist(host: Host, id: str) -> None:
        together[id].wait(60)
        host.load.insist(id)

    with ThreadPoolExecutor(32) as pool:
        for one in [pool.submit(insist, host, id) for id in ids for host in hosts]:
            one.result()

    conflicts = cluster.count_conflicts() - before
    statuses = [host.load.count_statuses() for host in hosts]
    print(f"{conflicts} conflicts, {[dict(one) for one in statuses]}")
    assert conflicts >= 20
    assert all(one[204] == 400 and one.keys() <= {204, 503} for one in statuses)
    check_all_books(ids)


def is_ready(host: Host) -> bool:
    """Whether all of its workers say so, each of which finds out for itself."""
    return all(read_readiness(host.load) == 200 for _ in range(20))


def list_paid(node: Node, database: str) -> set[str]:
    """As a node has it once all is there that the cluster has committed by now: it may be a little behind."""
    with closing(node.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_sync_wait = 1")
        cursor.execute("SELECT event_id FROM guerdon_events")
        return {row[0] for row in cursor.fetchall()}


def wait_for_more(load: Load, count: int) -> None:
    """Until so many more deliveries are acknowledged."""
    before = load.count_statuses()[204]
    wait_until(lambda: load.count_statuses()[204] >= before + count, 60)


def test_a_node_killed_under_load_loses_nothing_acknowledged_and_pays_nothing_twice(
    cluster: GaleraCluster, database: str, start_hosts: Any, check_all_books: Any
) -> None:
    first, second = hosts = start_hosts()
    for host in hosts:
        host.load.start(host.load.try_once)  # the same votes, at about the same time
        wait_for_more(host.load, 100)

    second.node.kill()
    killed = time.monotonic()
    acknowledged = {
        id for host in hosts for id, status, _ in list(host.load.answers) if status == 204
    }
    wait_until(lambda: read_readiness(second.load) == 503)
    wait_until(lambda: is_ready(first))
    wait_for_more(first.load, 100)
    print(f"the others went on after {time.monotonic() - killed:.1f} s")
    assert acknowledged <= list_paid(first.node, database)
    assert read_readiness(second.load) == 503
    assert is_ready(first)
    down = len(second.load.answers)

    second.node.start()
    wait_until(lambda: read_readiness(second.load) == 200)
    while_down = [status for _, status, _ in second.load.answers[down:][:10]]
    for host in hosts:
        wait_for_more(host.load, 100)
        host.load.finish()

    slowest = max(seconds for host in hosts for _, _, seconds in host.load.answers)
    statuses = [host.load.count_statuses() for host in hosts]
    print(f"slowest answer {slowest:.1f} s, {[dict(one) for one in statuses]}")
    assert set(while_down) == {503}
    assert all(one.keys() <= {204, 503} for one in statuses)
    assert slowest < SLOWEST
    acknowledged = {id for host in hosts for id, status, _ in host.load.answers if status == 204}
    for node in cluster.nodes:
        assert acknowledged <= list_paid(node, database)
    sent = sorted({*first.load.sent, *second.load.sent})
    first.load.send_all(sent)
    check_all_books(sent)


def test_a_node_cut_off_from_the_majority_is_not_ready_and_its_host_answers_503_in_time(
    cluster: GaleraCluster, database: str, start_hosts: Any, check_all_books: Any
) -> None:
    first, second = hosts = start_hosts()
    for host in hosts:
        host.load.start(host.load.try_once)
        wait_for_more(host.load, 50)

    second.node.cut_off()
    with (
        closing(second.node.connect(database)) as connection,  # it takes connections,
        connection.cursor() as cursor,
        pytest.raises(pymysql.OperationalError, match="1047"),  # and refuses every query
    ):
        cursor.execute("SELECT 1 FROM players")
    assert read_readiness(second.load) == 503
    wait_until(lambda: read_readiness(first.load) == 200)
    down = len(second.load.answers)
    wait_for_more(first.load, 100)
    wait_until(lambda: len(second.load.answers) > down + 20)
    assert read_readiness(second.load) == 503
    assert {status for _, status, _ in second.load.answers[down:]} == {503}

    second.node.join_up()
    wait_until(lambda: read_readiness(second.load) == 200)
    for host in hosts:
        wait_for_more(host.load, 50)
        host.load.finish()

    slowest = max(seconds for host in hosts for _, _, seconds in host.load.answers)
    statuses = [host.load.count_statuses() for host in hosts]
    print(f"slowest answer {slowest:.1f} s, {[dict(one) for one in statuses]}")
    assert all(one.keys() <= {204, 503} for one in statuses)
    assert slowest < SLOWEST
    sent = sorted({*first.load.sent, *second.load.sent})
    second.load.send_all(sent)
    check_all_books(sent)


@contextmanager
def hold_back(node: Node) -> Iterator[None]:
    """What the others commit does not reach this node's tables meanwhile."""
    with closing(node.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        yield
        cursor.execute("UNLOCK TABLES")


def count_queries(node: Node) -> int:
    """How many of the hosts' queries are running, or waiting."""
    running = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'game' AND "
    return int(node.run(f"{running} command = 'Query'")[0][0])


def test_what_one_host_has_paid_the_other_knows_at_once(start_hosts: Any) -> None:
    first, second = start_hosts()
    headers = {"Authorization": f"Bearer {API_KEY}"}

    def ask(id: str) -> Any:
        path = f"/v1/events/server.vote/{id}"
        response = second.load.http.request("GET", path, headers=headers)
        return response.status, response.json().get("state")

    answers = []
    with ThreadPoolExecutor(10) as pool:
        for turn in range(10):
            ids = [f"w-{turn}-{n}-p{n}" for n in range(10)]
            with hold_back(second.node):
                list(pool.map(first.load.insist, ids))
                asked = [pool.submit(ask, id) for id in ids]
                wait_until(lambda a=asked: any(map(Future.done, a)) or count_queries(second.node))
            answers += [one.result() for one in asked]

    assert Counter(answers) == {(200, "settled"): 100}


@pytest.fixture
def games(start_hosts: Any) -> Iterator[list[GameServer]]:
    """Game servers of both hosts."""
    servers = [GameServer(host.server.url) for host in start_hosts()]
    yield servers
    for server in servers:
        server.close()


def test_a_level_told_to_both_hosts_at_once_is_reported_once(
    games: list[GameServer], platform: Platform
) -> None:
    platform.behave = answer_late(0.05)
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(game.post, make_level(f"u{n}"), 20) for n in range(40) for game in games
        ]
        answers = [one.result() for one in asked]

    assert {status for status, _ in answers} == {200}
    for (_, ours), (_, theirs) in zip(answers[::2], answers[1::2], strict=True):
        assert ours["reports"] == theirs["reports"]
    bodies = Counter(request.body for request in platform.requests)
    assert (len(bodies), set(bodies.values())) == (40, {1})


def test_a_backlog_is_sent_by_both_hosts_and_each_report_once(
    games: list[GameServer], configs: list[Path], platform: Platform
) -> None:
    platform.behave = answer_late(0.3)  # neither host is quick enough to send all alone
    guerdon = open_guerdon(configs[0])
    queue(guerdon, [make_level(f"u{n}") for n in range(400)])

    left = "SELECT COUNT(*) FROM guerdon_reports WHERE state <> 'delivered'"
    start = time.monotonic()
    wait_until(lambda: query(guerdon, left) == [(0,)], 60)
    print(f"{400 / (time.monotonic() - start):.0f} reports/s")
    guerdon.close()

    bodies = Counter(request.body for request in platform.requests)
    assert (len(bodies), set(bodies.values())) == (400, {1})
    folders = [path.parent for path in configs]
    wait_until(lambda: sum(map(count_delivered, folders)) == 400)  # told after the commit
    shares = [count_delivered(folder) for folder in folders]
    print(f"each host delivered {shares}")
    assert min(shares) > 0


def count_delivered(folder: Path) -> int:
    """Reports that a host's log calls delivered."""
    (log,) = folder.glob("gunicorn-*.log")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return sum(line["event"] == "delivered" for line in lines)
