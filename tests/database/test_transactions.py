"""transact(): whole, kept, and run again where that is safe; on a real SQLite and a real MariaDB."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pymysql
import pytest
from peewee import IntegrityError, OperationalError, PeeweeException

from app.database.error_kinds import classify_error
from app.database.opening import Database, open_database
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import DatabaseUnavailable, TransactionBroken
from app.porch.types import Event
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from tests.world.proxying import Proxy
from tests.world.servers import ROOT

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def open_one() -> Iterator[Callable[[str], Database]]:
    """Open the database of a URL; it has a table of counters, 1 and 2, and an empty log."""
    opened: list[Database] = []

    def open_it(url: str) -> Database:
        database = open_database(url)
        opened.append(database)
        kind = "ENGINE=InnoDB" if database.family == "mysql" else ""
        with database.connection_context():
            for sql in (
                f"CREATE TABLE IF NOT EXISTS counters (id INTEGER PRIMARY KEY, n INTEGER) {kind}",
                f"CREATE TABLE IF NOT EXISTS log (word VARCHAR(20) UNIQUE) {kind}",
                "INSERT INTO counters VALUES (1, 0), (2, 0)",
            ):
                database.execute_sql(sql)
        return database

    yield open_it
    for database in opened:
        database.close_all()


@pytest.fixture
def database(open_one: Callable[[str], Database], database_url: str) -> Database:
    return open_one(database_url)


@pytest.fixture
def proxied(open_one: Callable[[str], Database], proxied_url: str) -> Database:
    """A database reached through the proxy."""
    return open_one(proxied_url)


def add_one(database: Database, id: int) -> None:
    database.execute_sql(f"UPDATE counters SET n = n + 1 WHERE id = {id}")


def write(database: Database, word: str) -> None:
    database.execute_sql(f"INSERT INTO log VALUES ('{word}')")


def read(database: Database) -> tuple[list[int], list[str]]:
    """The counters and the log as a new transaction sees them."""
    with database.connection_context():
        counters = database.execute_sql("SELECT n FROM counters ORDER BY id").fetchall()
        words = database.execute_sql("SELECT word FROM log ORDER BY word").fetchall()
    return [row[0] for row in counters], [row[0] for row in words]


def test_it_works(database: Database) -> None:
    def unit(is_retry: bool) -> str:
        add_one(database, 1)
        write(database, "once")
        return f"attempt {int(is_retry)}"

    assert database.transact(unit) == "attempt 0"
    assert read(database) == ([1, 0], ["once"])
    assert database.is_closed()


def test_what_a_unit_raises_undoes_it(database: Database) -> None:
    def unit(is_retry: bool) -> None:
        write(database, "never")
        raise KeyError("mine")

    with pytest.raises(KeyError):
        database.transact(unit)
    assert read(database) == ([0, 0], [])


@pytest.mark.parametrize("swallows", [False, True])
@pytest.mark.on_servers
def test_a_deadlock_in_a_nested_block_runs_the_whole_unit_again(
    database: Database, swallows: bool
) -> None:
    together = threading.Barrier(2)
    attempts: list[int] = []
    errors: list[PeeweeException] = []

    def pay(first: int, second: int) -> None:
        def unit(is_retry: bool) -> None:
            attempts.append(is_retry)
            write(database, f"paid {first}")
            add_one(database, first)
            if not is_retry:
                together.wait(10)
            try:
                with database.atomic():
                    add_one(database, second)
            except PeeweeException as error:
                errors.append(error)
                if not swallows:
                    raise
            write(database, f"late {first} {int(is_retry)}")

        database.transact(unit)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(pay, (1, 2), (2, 1)))

    assert sorted(attempts) == [0, 0, 1]
    assert {classify_error(error) for error in errors} == {"rolled_back"}
    numbers, words = read(database)
    assert numbers == [2, 2]
    # Nothing is kept of the attempt that was rolled back, nor what it wrote after that.
    assert [word[:6] for word in words] == ["late 1", "late 2", "paid 1", "paid 2"]


@pytest.mark.on_servers
def test_a_deadlock_that_a_unit_swallows_on_the_drivers_own_cursor_keeps_nothing(
    database: Database,
) -> None:
    """PyMySQL goes on believing in a transaction that the server has rolled back."""
    together = threading.Barrier(2)
    swallowed: list[int] = []

    def pay(first: int, second: int) -> None:
        def unit(is_retry: bool) -> None:
            cursor = database.cursor()
            cursor.execute(f"UPDATE counters SET n = n + 1 WHERE id = {first}")
            together.wait(10)
            try:
                cursor.execute(f"UPDATE counters SET n = n + 1 WHERE id = {second}")
            except pymysql.err.OperationalError as error:
                swallowed.append(error.args[0])
            write(database, f"late {first}")

        with suppress(TransactionBroken):
            database.transact(unit)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(pay, (1, 2), (2, 1)))

    assert swallowed == [1213]
    numbers, words = read(database)
    assert numbers == [1, 1]
    assert len(words) == 1  # of the one whose transaction was kept


@on_sqlite
def test_what_a_unit_writes_after_it_lost_its_transaction_unnoticed_is_not_kept(
    database: Database,
) -> None:
    database.transact(lambda is_retry: write(database, "there"))

    def unit(is_retry: bool) -> None:
        with suppress(IntegrityError), database.atomic():
            database.execute_sql("INSERT OR ROLLBACK INTO log VALUES ('there')")
        add_one(database, 1)

    with pytest.raises(PeeweeException):
        database.transact(unit)
    assert read(database) == ([0, 0], ["there"])


@pytest.mark.on_servers
def test_a_lock_wait_that_a_unit_swallows_commits_nothing_of_that_attempt(
    database: Database, database_server: DatabaseServer
) -> None:
    blocker = database_server.connect(database.database)
    blocker.begin()
    blocker.cursor().execute("UPDATE counters SET n = n WHERE id = 2")
    swallowed: list[int] = []

    def unit(is_retry: bool) -> None:
        database.execute_sql("SET SESSION innodb_lock_wait_timeout = 1")
        write(database, f"attempt {int(is_retry)}")
        try:
            add_one(database, 2)
        except OperationalError as error:
            swallowed.append(error.args[0])
            blocker.rollback()

    database.transact(unit)

    blocker.close()
    assert swallowed == [1205]
    assert read(database) == ([0, 1], ["attempt 1"])


def test_a_duplicate_that_a_unit_swallows_at_its_top_commits_nothing(database: Database) -> None:
    database.transact(lambda is_retry: write(database, "there"))

    def unit(is_retry: bool) -> None:
        add_one(database, 1)
        with suppress(IntegrityError):
            write(database, "there")

    with pytest.raises(IntegrityError) as caught:
        database.transact(unit)
    assert classify_error(caught.value) == "duplicate"
    assert read(database) == ([0, 0], ["there"])


def test_a_duplicate_undone_in_a_block_of_its_own_is_the_units_own_affair(
    database: Database,
) -> None:
    database.transact(lambda is_retry: write(database, "there"))

    def unit(is_retry: bool) -> None:
        add_one(database, 1)
        try:
            with database.atomic():
                write(database, "new")
                write(database, "there")
        except IntegrityError:
            add_one(database, 2)

    database.transact(unit)
    assert read(database) == ([1, 1], ["there"])


def test_another_error_than_a_duplicate_swallowed_in_a_block_of_its_own_commits_nothing(
    database: Database,
) -> None:
    def unit(is_retry: bool) -> None:
        add_one(database, 1)
        with suppress(PeeweeException), database.atomic():
            database.execute_sql("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(PeeweeException):
        database.transact(unit)
    assert read(database) == ([0, 0], [])


def test_a_duplicate_met_while_a_deadlock_was_handled_does_not_hide_it() -> None:
    deadlock = OperationalError(1213, "Deadlock found")
    duplicate = IntegrityError(1062, "Duplicate entry")
    duplicate.__context__ = deadlock

    assert classify_error(duplicate) == "rolled_back"
    assert classify_error(IntegrityError(1062, "Duplicate entry")) == "duplicate"


@pytest.mark.parametrize("ending", ["commit", "rollback", "close", "manual_close", "transact"])
def test_a_unit_cannot_end_its_transaction(database: Database, ending: str) -> None:
    def unit(is_retry: bool) -> None:
        add_one(database, 1)
        arguments = [lambda is_retry: None] if ending == "transact" else []
        getattr(database, ending)(*arguments)

    with pytest.raises(TransactionBroken, match=ending):
        database.transact(unit)
    assert read(database) == ([0, 0], [])
    database.transact(lambda is_retry: add_one(database, 2))
    assert read(database) == ([0, 1], [])


def test_a_unit_that_ends_its_transaction_behind_our_back_is_found_out(database: Database) -> None:
    def unit(is_retry: bool) -> None:
        database.connection().cursor().execute("ROLLBACK")

    with pytest.raises(TransactionBroken):
        database.transact(unit)


@pytest.mark.on_servers
@pytest.mark.parametrize(
    ("at", "forwarded"),
    [(b"BEGIN", False), (b"UPDATE", False), (b"UPDATE", True), (b"COMMIT", False)],
)
def test_a_connection_lost_before_the_commit_runs_the_unit_again_and_counts_it_once(
    proxied: Database, proxy: Proxy, at: bytes, forwarded: bool
) -> None:
    attempts: list[int] = []

    def unit(is_retry: bool) -> None:
        attempts.append(is_retry)
        write(proxied, f"attempt {int(is_retry)}")
        add_one(proxied, 1)

    proxy.cut(at, forwarded=forwarded)
    proxied.transact(unit)

    assert proxy.cuts_left == 0
    assert attempts == ([1] if at == b"BEGIN" else [0, 1])
    assert read(proxied) == ([1, 0], ["attempt 1"])


@pytest.mark.on_servers
def test_a_lost_reply_to_commit_lets_the_unit_find_what_was_kept(
    proxied: Database, proxy: Proxy
) -> None:
    def unit(is_retry: bool) -> str:
        if is_retry and proxied.execute_sql("SELECT 1 FROM log WHERE word = 'paid'").fetchone():
            return "known"
        write(proxied, "paid")
        add_one(proxied, 1)
        return "paid"

    proxy.cut(b"COMMIT", forwarded=True)

    assert proxied.transact(unit) == "known"
    assert proxy.cuts_left == 0
    assert read(proxied) == ([1, 0], ["paid"])


@pytest.mark.on_servers
def test_a_batch_whose_commit_is_not_answered_is_paid_exactly_once(
    open_service: Callable[..., Guerdon], proxied_url: str, proxy: Proxy
) -> None:
    guerdon = open_service(url=proxied_url)
    works = [
        Work([Event("gamemonitoring", "server.vote", str(n), nickname="Bob")]) for n in range(5)
    ]

    proxy.cut(b"COMMIT", forwarded=True)
    outcomes = guerdon.settler.settle(works)

    assert proxy.cuts_left == 0
    assert {outcome.state for outcome in outcomes} <= {"known", "settled"}
    with guerdon.database.connection_context():
        gold = guerdon.database.execute_sql("SELECT gold FROM players").fetchall()
        grants = guerdon.database.execute_sql("SELECT COUNT(*) FROM guerdon_grants").fetchall()
    assert (str(gold[0][0]), grants[0][0]) == ("500.00", 5)


@pytest.mark.on_servers
def test_a_database_that_hangs_up_each_time_is_unavailable(proxied: Database, proxy: Proxy) -> None:
    proxy.cut(b"BEGIN", forwarded=False, times=99)

    with pytest.raises(DatabaseUnavailable):
        proxied.transact(lambda is_retry: add_one(proxied, 1))
    assert proxy.cuts_left == 96
    assert proxied.is_closed()


@pytest.mark.on_servers
def test_a_connection_killed_by_the_server_within_or_between_units_costs_nothing(
    database: Database, database_server: DatabaseServer
) -> None:
    def kill() -> None:
        row = database.execute_sql("SELECT CONNECTION_ID()").fetchone()
        database_server.run(f"KILL CONNECTION {row[0]}")

    def unit(is_retry: bool) -> int:
        add_one(database, 1)
        if not is_retry:
            kill()
        add_one(database, 2)
        return is_retry

    database.keep_connection()
    assert database.transact(unit) == 1
    kill()
    assert database.transact(unit) == 1
    database.close()
    kill_idle = database_server.run(
        "SELECT id FROM information_schema.processlist WHERE user = 'game'"
    )
    for (id,) in kill_idle:
        database_server.run(f"KILL CONNECTION {id}")
    assert database.transact(unit) == 1
    assert read(database) == ([3, 3], [])


@pytest.mark.on_servers
def test_a_kept_connection_whose_socket_is_gone_is_replaced(database: Database) -> None:
    attempts: list[int] = []
    database.keep_connection()
    database.transact(attempts.append)
    database.connection()._force_close()  # then PyMySQL says InterfaceError(0, "")

    database.transact(attempts.append)

    database.close()
    assert attempts == [0, 1]


@on_sqlite
def test_only_a_thread_of_small_units_keeps_in_memory_what_undoes_a_statement(
    database: Database,
) -> None:
    """Elsewhere a large table is sorted, which would take as much of it."""

    def ask(is_retry: bool) -> int:
        return int(database.execute_sql("PRAGMA temp_store").fetchone()[0])

    default, memory = 0, 2
    assert database.transact(ask) == default
    database.keep_connection()
    assert database.transact(ask) == memory
    database.close()


def test_a_pool_with_nothing_left_is_an_unavailable_database_and_no_value_error(
    database: Database,
) -> None:
    database.pool.most, database.pool.patience = 2, 0.3  # type: ignore[union-attr]
    taken, done = threading.Barrier(3), threading.Event()

    def hold() -> None:
        with database.connection_context():
            taken.wait(10)
            done.wait(20)

    with ThreadPoolExecutor(2) as pool:
        holding = [pool.submit(hold) for _ in range(2)]
        taken.wait(10)
        try:
            with pytest.raises(DatabaseUnavailable):
                database.transact(lambda is_retry: add_one(database, 1))
        finally:
            done.set()
        for one in holding:
            one.result()
    database.transact(lambda is_retry: add_one(database, 1))
    assert read(database) == ([1, 0], [])


def test_the_web_answers_503_when_the_pool_has_nothing_left(
    client: Any, guerdon: Guerdon, deliver: Callable[..., Any], clock: Clock
) -> None:
    assert deliver("v1").status_code == 204
    guerdon.deliveries.stop()  # the threads give their connections back
    guerdon.database.pool.most = 1  # type: ignore[union-attr]
    guerdon.database.pool.patience = 0.3  # type: ignore[union-attr]
    headers = {"Authorization": "Bearer a-key-for-all-tests"}
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with guerdon.database.connection_context():
            taken.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    guerdon.database.close_idle()  # type: ignore[no-untyped-call]
    try:
        statuses = [
            deliver("v2").status_code,
            client.get("/readyz").status_code,
            client.get("/v1/players/Bob", headers=headers).status_code,
        ]
    finally:
        done.set()
        holder.join()
    assert statuses == [503, 503, 503]
    guerdon.database.pool.most = 32  # type: ignore[union-attr]
    assert deliver("v2").status_code == 204


def test_many_threads_that_read_and_then_write_lose_nothing_and_never_find_it_locked(
    database: Database,
) -> None:
    lock = " FOR UPDATE" if database.family == "mysql" else ""

    attempts: list[int] = []

    def unit(is_retry: bool) -> None:
        attempts.append(is_retry)
        sql = f"SELECT n FROM counters WHERE id = 1{lock}"
        n = database.execute_sql(sql).fetchone()[0]
        database.execute_sql(f"UPDATE counters SET n = {n + 1} WHERE id = 1")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: database.transact(unit), range(360)))

    assert read(database) == ([360, 0], [])
    assert attempts == [0] * 360


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import subprocess, sys, time, gevent
from app.database.opening import open_database
HOLD = '''
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE"); print(flush=True); time.sleep(0.6); c.execute("COMMIT"); c.close()
'''
database = open_database("sqlite:///" + sys.argv[1])
holder = subprocess.Popen([sys.executable, "-c", HOLD, sys.argv[1]], stdout=subprocess.PIPE)
holder.stdout.readline()
ticks, done = 0, []
def tick():
    global ticks
    while not done:
        gevent.sleep(0.005)
        ticks += 1
def write(is_retry):
    database.execute_sql("UPDATE counters SET n = n + 1 WHERE id = 1")
start = time.monotonic()
ticking = gevent.spawn(tick)
gevent.joinall([gevent.spawn(database.transact, write) for _ in range(5)], raise_error=True)
done.append(True)
ticking.join()
print(time.monotonic() - start, ticks)
"""


@on_sqlite
def test_greenlets_go_on_while_a_sqlite_writer_waits_for_another_process(
    database: Database, database_url: str
) -> None:
    path = database_url.removeprefix("sqlite:///")
    command = [sys.executable, "-W", "error", "-c", GREENLETS, path]

    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert output.returncode == 0, output.stderr
    waited, ticks = map(float, output.stdout.split())
    assert waited > 0.4
    assert ticks > 15  # who waits without letting others go on lets them once or twice a writer
    assert read(database) == ([5, 0], [])
