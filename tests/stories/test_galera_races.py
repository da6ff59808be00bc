"""Two processes on two nodes of a cluster want the same rows at the same instant: one gets each.

Each race is run until it is certain that it was one: until conflicts were seen.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest

from app.counting.programme import Programme
from app.database.keys import make_event_key
from app.database.models import Waiting
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import queue_claims
from app.porch.types import Event, Player, Report
from app.reporting.queue import insert_reports
from app.rules.rule import Rules
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS, REWARDS
from tests.world.books import make_work, settle
from tests.world.galera import GaleraCluster, write_host
from tests.world.racing import Racer, race

ROUNDS = 150  # at most
ROWS = 120
CODES = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }, { reward = "promo_code", pool = "autumn" }]
"""


@pytest.fixture
def cluster(galera: GaleraCluster) -> Iterator[GaleraCluster]:
    yield galera
    galera.mend()


@pytest.fixture
def open_racers(
    cluster: GaleraCluster, tmp_path: Path
) -> Iterator[Callable[..., tuple[Guerdon, list[Racer]]]]:
    """A migrated Guerdon on the third node, with the player Bob, and a racer on each of the others."""
    guerdons: list[Guerdon] = []
    racers: list[Racer] = []

    def open_all(rewards: str = REWARDS, more: str = "") -> tuple[Guerdon, list[Racer]]:
        database = cluster.create_database()
        paths = [
            write_host(
                tmp_path / node.name, node.url(database), ALL_PLUGINS, rewards, more, "http://x"
            )
            for node in cluster.nodes
        ]
        guerdon = open_guerdon(paths.pop())
        guerdons.append(guerdon)
        guerdon.migrate()
        add_player(guerdon, "Bob")
        racers.extend(Racer(path) for path in paths)
        return guerdon, racers

    yield open_all
    for one in (*racers, *guerdons):
        one.close()


def query(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def test_it_works(cluster: GaleraCluster, open_racers: Any) -> None:
    """The same votes settled on two nodes at once: one pays, the other finds them paid."""
    guerdon, racers = open_racers()
    tries: Counter[str] = Counter()
    rounds = 0
    while rounds < ROUNDS and (tries["undone"] < 20 or tries["duplicate"] < 5):
        ids = [f"{rounds}-{number}" for number in range(3)]
        late = (0, 0.0005 * (rounds % 8))  # sometimes the other's votes are just there
        (ours, first), (theirs, second) = race(racers, "settle", [ids, ids[::-1]], delays=late)
        for one, other in zip(ours, theirs[::-1], strict=True):
            assert sorted([one, other]) == ["known", "settled"]
        tries += Counter(first) + Counter(second)
        rounds += 1

    print(f"{rounds} rounds, {dict(tries)}")
    assert tries["undone"] >= 20
    assert tries["duplicate"] >= 5
    assert query(guerdon, "SELECT COUNT(*) FROM guerdon_events") == [(3 * rounds,)]
    assert query(guerdon, "SELECT COUNT(*) FROM guerdon_grants") == [(3 * rounds,)]
    assert query(guerdon, "SELECT gold FROM players") == [(Decimal(300 * rounds),)]


def test_a_player_created_on_two_nodes_at_once_is_one_and_no_promo_code_is_given_twice(
    open_racers: Any,
) -> None:
    guerdon, racers = open_racers(CODES, '[players]\nmatch = "casefold"\nunknown = "create"\n')
    codes = ", ".join(f"('autumn', 'c{n}', '', '', '')" for n in range(2 * ROUNDS))
    columns = "pool, code, player_id, event_type, event_id"
    query(guerdon, f"INSERT INTO guerdon_promo_codes ({columns}) VALUES {codes}")
    undone = rounds = 0
    while rounds < ROUNDS and undone < 20:
        names = [f"New{rounds}", f"NEW{rounds}"]
        votes = [[f"a{rounds}"], [f"b{rounds}"]]
        for states, tries in race(racers, "settle", votes, names):
            assert states == ["settled"]
            undone += tries.get("undone", 0)
        rounds += 1

    print(f"{rounds} rounds, {undone} undone")
    assert undone >= 20
    players = query(guerdon, "SELECT folded, gold FROM players WHERE nickname <> 'Bob'")
    assert sorted(players) == sorted((f"new{n}", Decimal(200)) for n in range(rounds))
    given = query(guerdon, "SELECT event_id FROM guerdon_promo_codes WHERE player_id <> ''")
    assert sorted(given) == sorted((f"{host}{n}",) for host in "ab" for n in range(rounds))


def test_events_repaid_on_two_nodes_at_once_are_paid_once(open_racers: Any) -> None:
    guerdon, racers = open_racers()
    guerdon.settler._payer._programme = Programme(Rules())  # which ate them
    tries: Counter[str] = Counter()
    rounds = 0
    while rounds < ROUNDS and (tries["undone"] < 20 or tries["duplicate"] < 5):
        ids = [f"{rounds}-{number}" for number in range(3)]
        assert {one.state for one in settle(guerdon, *map(make_work, ids))} == {"settled"}
        latest = f"SELECT id FROM guerdon_events WHERE event_id LIKE '{rounds}-%%' ORDER BY id"
        rows = [row for (row,) in query(guerdon, latest)]
        late = (0, 0.0005 * (rounds % 8))
        both = race(racers, "repay", [rows, rows[::-1]], ["Alice", "Eve"], delays=late)
        assert sorted(id for paid, _ in both for id in paid) == ids
        tries += Counter(both[0][1]) + Counter(both[1][1])
        rounds += 1

    print(f"{rounds} rounds, {dict(tries)}")
    assert tries["undone"] >= 20
    assert query(guerdon, "SELECT COUNT(*) FROM guerdon_grants") == [(3 * rounds,)]
    assert query(guerdon, "SELECT COUNT(*) FROM guerdon_repayments") == [(3 * rounds,)]
    assert query(guerdon, "SELECT gold FROM players") == [(Decimal(300 * rounds),)]


def queue_waiting(guerdon: Guerdon, start: int) -> None:
    for number in range(start, start + ROWS):
        Waiting.insert(
            ordered_key=make_event_key("test", "test", str(number)), source="test", type="test",
            event_id=str(number), token="", data="{}", state="ready", due_at=0, lease_token="",
            lease_until=0, takes=0, attempts=0, retries=0, last_error="", received_at=0,
            waiting_since=0,
        ).execute()  # fmt: skip


def queue_reports(guerdon: Guerdon, start: int) -> None:
    numbers = range(start, start + ROWS)
    reports = [(number, Report("test", "test", str(number), b"{}")) for number in numbers]
    insert_reports(guerdon.database, reports, 0, False)


def queue_some_claims(guerdon: Guerdon, start: int) -> None:
    event, player = Event("test", "test", str(start), server_id="1"), Player(1, "Bob")
    queue_claims([(event, player, {})] * ROWS, 0)


@pytest.mark.parametrize(
    ("queue", "deed", "table"),
    [
        (queue_waiting, "take_waiting", "guerdon_inbox"),
        (queue_reports, "take_reports", "guerdon_reports"),
        (queue_some_claims, "take_claims", "guerdon_claims"),
    ],
    ids=["inbox", "reports", "claims"],
)
def test_a_row_that_two_nodes_want_to_lease_has_one_owner(
    queue: Any, deed: str, table: str, cluster: GaleraCluster, open_racers: Any
) -> None:
    guerdon, racers = open_racers()
    before = cluster.count_conflicts()
    owners: dict[int, str] = {}
    queued = rounds = conflicts = 0
    while rounds < ROUNDS and conflicts < 5:
        with guerdon.database.connection_context():
            queue(guerdon, queued)
        queued += ROWS
        is_any_left = True
        while is_any_left:
            taken = race(racers, deed, (3, 3))
            for token, ids in taken:
                assert owners.keys().isdisjoint(ids), (token, ids, owners)
                owners |= dict.fromkeys(ids, token)
            is_any_left = any(ids for _, ids in taken)
            rounds += 1
        conflicts = cluster.count_conflicts() - before

    print(f"{rounds} rounds, {conflicts} conflicts")
    assert conflicts >= 5
    assert len(owners) == queued
    assert set(owners.items()) == set(query(guerdon, f"SELECT id, lease_token FROM {table}"))
    assert query(guerdon, f"SELECT DISTINCT takes, state FROM {table}") == [(1, "leased")]


def test_two_nodes_that_want_to_migrate_take_turns(
    cluster: GaleraCluster, open_racers: Any
) -> None:
    guerdon, racers = open_racers()
    before = cluster.count_conflicts()
    for node in cluster.nodes:
        node.run("SET GLOBAL wsrep_retry_autocommit = 0")  # a cluster need not try again for us
    try:
        rounds = 0
        while rounds < 30 or (rounds < ROUNDS and cluster.count_conflicts() - before < 5):
            rounds += 1
            query(guerdon, "DROP TABLE guerdon_migration_lock")
            held = race(racers, "take_migration_lock", delays=(0, 0))
            assert all(isinstance(one, list) for one in held), held
            (_, first_until), (second_from, _) = sorted(held)
            assert first_until <= second_from
    finally:
        for node in cluster.nodes:
            node.run("SET GLOBAL wsrep_retry_autocommit = 1")

    print(f"{cluster.count_conflicts() - before} conflicts")
    assert cluster.count_conflicts() - before >= 5


def test_every_table_has_a_primary_key(open_racers: Any) -> None:
    """Without one Galera cannot tell which row is meant."""
    guerdon, _ = open_racers()
    tables = (
        "SELECT table_name FROM information_schema.tables t WHERE table_schema = DATABASE()"
        " AND NOT EXISTS (SELECT 1 FROM information_schema.table_constraints c WHERE"
        " c.table_schema = t.table_schema AND c.table_name = t.table_name"
        " AND constraint_type = 'PRIMARY KEY')"
    )

    assert len(query(guerdon, "SHOW TABLES")) >= 15
    assert query(guerdon, tables) == []


@pytest.fixture
def connect_twice(cluster: GaleraCluster) -> Iterator[Any]:
    """Connections to two nodes, and a table `t` there with the rows 1 to 1000."""
    database = cluster.create_database()
    first, second = (node.connect(database) for node in cluster.nodes[:2])
    with closing(first), closing(second):
        run(first, "CREATE TABLE t (id INT PRIMARY KEY, owner INT)")
        run(first, "INSERT INTO t SELECT seq, 0 FROM seq_1_to_1000")
        run(second, "SET wsrep_sync_wait = 1")
        assert run(second, "SELECT COUNT(*) FROM t") == ((1000,),)
        run(second, "SET wsrep_sync_wait = 0")
        yield first, second


def run(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_galera_gives_the_same_locked_row_and_the_same_lock_to_two_nodes(
    connect_twice: Any,
) -> None:
    """Why nothing of ours relies on them, and why no lease is ours before its COMMIT succeeded."""
    for number, one in enumerate(connect_twice, 1):
        assert run(one, "SELECT GET_LOCK('guerdon', 0)") == ((1,),)
        one.begin()
        wanted = "SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        assert run(one, wanted) == ((1,),)
        run(one, f"UPDATE t SET owner = {number} WHERE id = 1")

    first, second = connect_twice
    second.commit()
    with pytest.raises(pymysql.OperationalError, match="1213"):
        first.commit()
    assert run(first, "SELECT owner FROM t WHERE id = 1") == ((2,),)


def test_galera_answers_from_the_past_where_it_is_not_told_to_wait(connect_twice: Any) -> None:
    first, second = connect_twice
    stale = {0: 0, 1: 0}
    for number in range(1, 201):
        run(second, f"SET wsrep_sync_wait = {number % 2}")
        run(first, f"UPDATE t SET owner = {number}")  # a thousand rows: not there at once
        answer = run(second, "SELECT owner FROM t WHERE id = 1000")
        stale[number % 2] += answer != ((number,),)

    print(f"{stale[0]} of 100 answers were stale")
    assert stale[0] >= 10
    assert stale[1] == 0
