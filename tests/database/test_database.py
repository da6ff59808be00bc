"""Opening the database: each connection set up, each trap of MariaDB and SQLite closed."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from peewee import IntegrityError, OperationalError, PeeweeException

from app.database.error_kinds import classify_error
from app.database.opening import CONNECT_TIMEOUT, Database, open_database
from app.database.pool import NoConnectionLeft
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.ledger import Entry, insert_events, key_of
from app.paying.settler import Work
from app.porch.errors import ConfigError, DatabaseUnavailable
from app.porch.types import Event
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.players import add_player
from app.testing.waiting import wait_until
from tests.world.proxying import Proxy

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def ask(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def make_event(id: str, **changes: Any) -> Event:
    return Event("gamemonitoring", "server.vote", id, **{"nickname": "Bob"} | changes)


def settle(guerdon: Guerdon, *events: Event) -> list[str]:
    works = [Work([event]) for event in events]
    return [outcome.state for outcome in guerdon.settler.settle(works)]


def test_it_works(guerdon: Guerdon) -> None:
    assert guerdon.inspect() == []
    assert settle(guerdon, make_event("v1")) == ["settled"]


@pytest.mark.on_servers
def test_every_session_is_strict_utf8_read_committed_utc_and_impatient(guerdon: Guerdon) -> None:
    def read_session(number: int) -> Any:
        with guerdon.database.connection_context():
            together.wait(10)
            # MariaDB has had MySQL's name for it since version 11.1 alone.
            isolation = "tx_isolation" if guerdon.database.returns_rows else "transaction_isolation"
            return guerdon.database.execute_sql(
                f"SELECT @@{isolation}, LOCATE('STRICT_ALL_TABLES', @@sql_mode) > 0, @@time_zone,"
                " @@innodb_lock_wait_timeout, @@character_set_client, @@character_set_connection"
            ).fetchone()

    together = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        sessions = set(pool.map(read_session, range(3)))

    assert sessions == {("READ-COMMITTED", 1, "+00:00", 2, "utf8mb4", "utf8mb4")}


@on_sqlite
def test_every_sqlite_connection_has_wal_full_syncs_and_patience(guerdon: Guerdon) -> None:
    def read_pragmas(number: int) -> Any:
        with guerdon.database.connection_context():
            together.wait(10)
            guerdon.database.transact(lambda is_retry: None)
            names = ("journal_mode", "synchronous", "busy_timeout")
            return [guerdon.database.execute_sql(f"PRAGMA {n}").fetchone()[0] for n in names]

    together = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(read_pragmas, range(3))) == [["wal", 2, 5000]] * 3


@pytest.mark.on_servers
def test_an_update_that_changes_nothing_still_counts_the_row_it_found(guerdon: Guerdon) -> None:
    with guerdon.database.connection_context():
        found = guerdon.database.execute_sql("UPDATE players SET gold = gold").rowcount

    assert found == 1


def test_event_ids_that_differ_by_case_accent_or_trailing_blank_are_paid_each(
    guerdon: Guerdon, read_gold: Callable[..., str]
) -> None:
    events = [make_event(id) for id in ("AbC", "abc", "abc  ", "àbc", "abc\U0001f600")]

    assert settle(guerdon, *events) == ["settled"] * 5
    assert settle(guerdon, *events) == ["known"] * 5
    assert read_gold() == "500.00"


def test_one_part_of_an_event_cannot_pose_as_another(guerdon: Guerdon) -> None:
    events = [
        Event("a", "b", "c"),
        Event("ab", "", "c"),
        Event("", "a", "bc"),
        Event("a", "bc", ""),
    ]

    assert settle(guerdon, *events) == ["settled"] * 4


def test_players_and_items_whose_names_differ_by_case_are_kept_apart(
    open_service: Callable[..., Guerdon],
) -> None:
    give = '{ reward = "item", item = "Sword" }, { reward = "item", item = "sword" }'
    guerdon = open_service(rewards=f'[[rules]]\non = "server.vote"\ngive = [{give}]\n')
    with guerdon.database.connection_context():
        add_player(guerdon, "bob")

    events = [make_event("v1"), make_event("v2", nickname="bob"), make_event("v3", nickname="BOB")]

    assert settle(guerdon, *events) == ["settled", "settled", "waiting"]
    rows = ask(
        guerdon, "SELECT p.nickname, i.name, i.quantity FROM guerdon_items i"
                 " JOIN players p ON p.id = i.player_id"
    )  # fmt: skip
    assert set(rows) == {(who, what, 1) for who in ("Bob", "bob") for what in ("Sword", "sword")}


def make_entry(event: Event) -> Entry:
    return Entry(key_of(event), event, "", "{}", None, 1, None)


def test_the_same_event_inserted_again_fails_as_a_duplicate_and_as_nothing_else(
    guerdon: Guerdon,
) -> None:
    def insert(event: Event) -> None:
        guerdon.database.transact(lambda _: insert_events(guerdon.database, [make_entry(event)], 1))

    insert(make_event("v1"))
    with pytest.raises(IntegrityError) as duplicate:
        insert(make_event("v1"))
    assert classify_error(duplicate.value) == "duplicate"
    with pytest.raises(IntegrityError) as other:
        insert(make_event("v2", nickname=None))
    assert classify_error(other.value) == "refused"
    assert ask(guerdon, "SELECT event_id, nickname FROM guerdon_events") == [("v1", "Bob")]


@pytest.mark.on_servers
def test_a_value_too_long_for_its_column_is_refused_and_never_cut(guerdon: Guerdon) -> None:
    event = make_event("v" * 256)
    with pytest.raises(PeeweeException):
        guerdon.database.transact(lambda _: insert_events(guerdon.database, [make_entry(event)], 1))
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_events") == [(0,)]
    assert settle(guerdon, make_event("v" * 256)) == ["waiting"]


def test_times_keep_their_milliseconds(guerdon: Guerdon, clock: Clock) -> None:
    clock.now = 1_800_000_000_123
    settle(guerdon, make_event("v1", occurred_at=1_700_000_000_987))

    rows = ask(
        guerdon, "SELECT occurred_at, settled_at, granted_at FROM guerdon_events e"
                 " JOIN guerdon_grants g ON g.event = e.id"
    )  # fmt: skip
    assert rows == [(1_700_000_000_987, 1_800_000_000_123, 1_800_000_000_123)]


def test_eight_threads_that_pay_one_player_lose_none_of_his_gold(
    guerdon: Guerdon, read_gold: Callable[..., str]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda n: settle(guerdon, make_event(f"v{n}")), range(200)))

    assert states == [["settled"]] * 200
    assert read_gold() == "20000.00"


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("guerdon_inbox", "ENGINE=MyISAM", "guerdon_inbox is MyISAM"),
        ("players", "ENGINE=MEMORY", "players is MEMORY"),  # MySQL's MyISAM has shorter keys
        ("guerdon_items", "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
         "guerdon_items has the collation utf8mb4_general_ci"),
        ("guerdon_events", "DEFAULT CHARACTER SET latin1", "guerdon_events has the collation latin1"),
        ("guerdon_events", "DROP INDEX",
         "no unique index on ordered_key"),
    ],
)  # fmt: skip
@pytest.mark.on_servers
def test_tables_that_could_lose_or_mix_up_payments_are_refused(
    guerdon: Guerdon, deliver: Callable[..., Any], table: str, change: str, words: str
) -> None:
    if "DROP INDEX" in change:
        unique = ask(guerdon, f"SHOW INDEX FROM {table} WHERE Column_name = 'ordered_key'")[0][2]
        change = f"DROP INDEX {unique}"
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(f"ALTER TABLE {table} {change}")

    assert [fault for fault in guerdon.inspect() if words in fault]
    assert deliver("v1").status_code == 503
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_events") == [(0,)]


def test_no_tables_at_all_are_refused_until_they_are_there(write_config: Any, clock: Clock) -> None:
    guerdon = open_guerdon(write_config(), clock)
    try:
        assert "guerdon migrate" in guerdon.inspect()[0]
        with pytest.raises(DatabaseUnavailable):
            guerdon.require_fit_database()
        guerdon.migrate()
        assert guerdon.inspect() == []
    finally:
        guerdon.close()


@pytest.fixture
def silence() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    yield listener.getsockname()[1]
    listener.close()


def test_a_server_that_accepts_and_says_nothing_costs_all_who_ask_one_wait_together(
    silence: int,
) -> None:
    database = open_database(f"mysql://game:x@127.0.0.1:{silence}/guerdon")

    with ThreadPoolExecutor(8) as pool:
        start = time.monotonic()
        tries = [pool.submit(database.transact, lambda is_retry: None) for _ in range(8)]
        errors = [type(one.exception()) for one in tries]
        seconds = time.monotonic() - start

    assert errors == [DatabaseUnavailable] * 8
    assert seconds < 2 * CONNECT_TIMEOUT


@pytest.mark.on_servers
def test_kept_connections_that_went_silent_are_not_each_waited_for(
    open_service: Callable[..., Guerdon], proxied_url: str, proxy: Proxy
) -> None:
    database = open_service(url=proxied_url).database
    fill_pool(database, 6)
    proxy.freeze()
    start = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        database.transact(lambda is_retry: database.execute_sql("SELECT 1"))
    seconds = time.monotonic() - start
    proxy.thaw()
    time.sleep(1)
    assert database.transact(lambda is_retry: database.execute_sql("SELECT 1").fetchone()) == (1,)
    assert seconds < 3 * CONNECT_TIMEOUT


@pytest.mark.on_servers
def test_who_waits_for_a_greeting_keeps_nobody_from_the_pool_and_takes_one_place_of_it(
    open_service: Callable[..., Guerdon], proxied_url: str, proxy: Proxy
) -> None:
    database = open_service(url=proxied_url).database
    database.close_all()
    database.pool.most, database.pool.patience = 2, 0.1
    with database.connection_context(), ThreadPoolExecutor(1) as pool:
        proxy.freeze()
        waiting = pool.submit(database.connect)
        wait_until(lambda: database.pool.count_taken() == 2)
        others = threading.Thread(target=use_pool, args=(database,))
        others.start()
        others.join(CONNECT_TIMEOUT / 2)
        is_free, is_still_waiting = not others.is_alive(), not waiting.done()
        with pytest.raises(OperationalError):
            waiting.result()
    assert (is_free, is_still_waiting) == (True, True)
    assert database.pool.count_taken() == 0


def use_pool(database: Database) -> None:
    """What asks no server: to close where nothing is open, and to find the pool full."""
    assert not database.close()
    with pytest.raises(NoConnectionLeft):
        database._connect()


@pytest.mark.on_servers
def test_a_connection_goes_back_to_the_pool_without_a_word_and_closed_if_it_is_amid_a_transaction(
    guerdon: Guerdon, database_server: DatabaseServer
) -> None:
    database, count = guerdon.database, "SHOW SESSION STATUS LIKE 'Com_rollback'"
    database.close_all()
    with database.connection_context():
        kept = database.connection()
    with database.connection_context():
        assert database.connection() is kept
        assert int(database.execute_sql(count).fetchone()[1]) == 0
        database.connection().begin()
    with database.connection_context():
        assert database.connection() is not kept


def fill_pool(database: Database, size: int) -> None:
    """Leave `size` idle connections in the pool."""
    together = threading.Barrier(size)

    def connect(number: int) -> None:
        with database.connection_context():
            together.wait(10)

    with ThreadPoolExecutor(size) as pool:
        list(pool.map(connect, range(size)))


@pytest.mark.on_servers
def test_a_kept_connection_that_the_server_has_closed_is_replaced_at_checkout(
    guerdon: Guerdon, database_server: DatabaseServer
) -> None:
    fill_pool(guerdon.database, 4)
    attempts = []
    rows = database_server.run(
        "SELECT id FROM information_schema.processlist WHERE db = %s", [guerdon.database.database]
    )
    for (id,) in rows:
        database_server.run(f"KILL CONNECTION {id}")
    time.sleep(0.1)

    guerdon.database.transact(attempts.append)

    assert len(rows) >= 4
    assert attempts == [0]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgres://x/y", "nonsense"])
def test_a_url_that_names_no_database_that_keeps_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        open_database(url)
