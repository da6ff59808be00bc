"""/readyz says yes only where a vote would be kept; a failover costs no vote more than a moment."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app import create_app
from app.database import opening as database
from app.fitness import readiness
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, post_vote
from tests.database.test_database import fill_pool
from tests.world.proxying import Proxy

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP"


@pytest.fixture(autouse=True)
def keep_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is answered anew."""
    monkeypatch.setattr(readiness, "KEPT", 0)
    monkeypatch.setattr(readiness, "UNFIT_KEPT", 0)


def ask_ready(guerdon: Guerdon) -> tuple[int, str]:
    key = {"Authorization": f"Bearer {API_KEY}"}  # who may read is told the reason
    answer = create_app(guerdon).test_client().get("/readyz", headers=key)
    return answer.status_code, answer.get_json().get("reason", "")


@pytest.fixture
def open_as_clerk(
    open_service: Open, database_server: DatabaseServer, write_config: Any
) -> Iterator[Callable[[str], Guerdon]]:
    """A migrated service whose database user has no more than these rights."""
    opened: list[Guerdon] = []

    def open_one(rights: str) -> Guerdon:
        name = database_server.create_database()
        open_service(url=database_server.url(name)).close()
        database_server.run("CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'p@ss'")
        database_server.run(f"GRANT {rights} ON {name}.* TO clerk@'127.0.0.1'")
        opened.append(
            open_guerdon(write_config(url=database_server.url(name).replace("game:", "clerk:")))
        )
        return opened[-1]

    yield open_one
    for guerdon in opened:
        guerdon.close()
    database_server.run("SET GLOBAL read_only = 0")
    database_server.run("DROP USER IF EXISTS clerk@'127.0.0.1'")


def test_it_works(guerdon: Guerdon) -> None:
    assert ask_ready(guerdon) == (200, "")
    with guerdon.database.connection_context():
        count = "SELECT COUNT(*) FROM guerdon_heartbeats"
        assert guerdon.database.execute_sql(count).fetchone() == (0,)


def test_a_result_is_kept_for_a_while(guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT", 3600)
    with guerdon.database.connection_context():
        assert ask_ready(guerdon)[0] == 200
        guerdon.database.execute_sql("DROP TABLE guerdon_heartbeats")
    assert ask_ready(guerdon)[0] == 200
    guerdon.readiness._until = 0
    status, reason = ask_ready(guerdon)
    assert status == 503
    assert reason.startswith("the database keeps no write: ")
    assert "guerdon_heartbeats" not in reason


@pytest.mark.on_servers
def test_a_server_that_became_read_only_is_not_ready(
    open_as_clerk: Callable[[str], Guerdon], database_server: DatabaseServer
) -> None:
    guerdon = open_as_clerk(RIGHTS)
    assert ask_ready(guerdon) == (200, "")

    database_server.run("SET GLOBAL read_only = 1")
    assert ask_ready(guerdon) == (503, "the database takes no writes now")
    fault = guerdon.inspect()[0]
    assert fault.startswith("no INSERT, UPDATE, DELETE on guerdon_events, ")
    assert ": it is read-only. " in fault
    database_server.run("SET GLOBAL read_only = 0")

    assert ask_ready(guerdon) == (200, "")
    assert guerdon.inspect() == []


@pytest.mark.on_servers
def test_a_user_that_may_only_read_is_not_ready_and_check_says_what_is_missing(
    open_as_clerk: Callable[[str], Guerdon], database_server: DatabaseServer
) -> None:
    guerdon = open_as_clerk("SELECT")

    [fault] = guerdon.inspect()

    assert fault.startswith("no INSERT, UPDATE, DELETE on guerdon_events, ")
    assert "our database user may not do that" in fault
    guerdon._gate._is_open = True  # the right was taken away while it ran
    assert ask_ready(guerdon) == (
        503, "the database keeps no write: our database user may not do that",
    )  # fmt: skip


@pytest.mark.on_servers
def test_one_missing_right_on_one_table_is_named(
    open_as_clerk: Callable[[str], Guerdon], database_server: DatabaseServer
) -> None:
    guerdon = open_as_clerk("SELECT")
    name = guerdon.database.database
    for (table,) in database_server.run("SHOW TABLES", database=name):
        rights = "INSERT, UPDATE" if table == "guerdon_items" else "INSERT, UPDATE, DELETE"
        database_server.run(f"GRANT {rights} ON {name}.{table} TO clerk@'127.0.0.1'")

    [fault] = guerdon.inspect()

    assert fault.startswith("no DELETE on guerdon_items: our database user may not do that")


@pytest.mark.on_servers
def test_a_balance_that_may_not_be_changed_is_named_by_check(
    open_service: Open, database_server: DatabaseServer, write_config: Any
) -> None:
    name = database_server.create_database()
    more, gold = '[players]\ntable = "users"\n', '[plugins.gold]\ncolumn = "balance"\n'
    open_service("", more, gold, database_server.url(name)).close()
    users = "id INT PRIMARY KEY, nickname VARCHAR(64), balance DECIMAL(18,2)"
    database_server.run(f"CREATE TABLE {name}.users ({users})")
    database_server.run("CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'p@ss'")
    for (table,) in database_server.run("SHOW TABLES", database=name):
        rights = "SELECT, UPDATE (nickname)" if table == "users" else RIGHTS
        database_server.run(f"GRANT {rights} ON {name}.{table} TO clerk@'127.0.0.1'")
    url = database_server.url(name).replace("game:", "clerk:")
    guerdon = open_guerdon(write_config("", more, gold, url))

    [fault] = guerdon.inspect()
    guerdon.close()
    database_server.run("DROP USER clerk@'127.0.0.1'")

    assert fault == (
        "[plugins.gold] column: users.balance cannot be written: the database refused it: "
        "users.balance may not be written by our database user"
    )


@on_sqlite
def test_a_full_disk_is_not_ready(guerdon: Guerdon, write_config: Any) -> None:
    """Each connection is told that the file may not grow much."""
    with guerdon.database.connection_context():
        [pages] = guerdon.database.execute_sql("PRAGMA page_count").fetchone()
    guerdon.database.close_all()
    guerdon.database.pragma("max_page_count", pages + 10, permanent=True)

    statuses = [post_vote(guerdon, "first").status_code]
    while statuses[-1] == 204 and len(statuses) < 500:
        statuses.append(post_vote(guerdon, f"{len(statuses)}" + "x" * 100).status_code)

    assert (statuses[0], statuses[-1]) == (204, 503)
    assert ask_ready(guerdon) == (503, "the database keeps no write: no room is left")
    guerdon.close()
    with_room = open_guerdon(write_config())
    assert ask_ready(with_room) == (200, "")
    assert post_vote(with_room, "v-last").status_code == 204
    with_room.close()


@on_sqlite
def test_a_file_that_somebody_holds_is_not_ready(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask_ready(guerdon) == (200, "")
    monkeypatch.setattr(database, "LOCK_PATIENCE", 0.1)
    release, held = threading.Event(), threading.Event()

    def hold(is_retry: bool) -> None:
        held.set()
        release.wait(20)

    holder = threading.Thread(target=guerdon.database.transact, args=(hold,))
    holder.start()
    held.wait(20)
    try:
        assert ask_ready(guerdon) == (503, "somebody holds the SQLite file")
    finally:
        release.set()
        holder.join()
    assert ask_ready(guerdon) == (200, "")


@pytest.fixture
def new_primary(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseServer]:
    server = type(database_server)(tmp_path_factory.mktemp("primary"))
    yield server
    server.stop()


@pytest.mark.on_servers
def test_after_a_failover_no_idle_connection_costs_a_vote(
    open_as_clerk: Callable[[str], Guerdon], database_server: DatabaseServer, new_primary: DatabaseServer,
    open_service: Open, write_config: Any,
) -> None:  # fmt: skip
    """The old primary becomes read-only and lives on, and the address leads to the new one."""
    old = open_as_clerk(RIGHTS)
    name = old.database.database
    old.close()
    new_primary.run("CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'p@ss'")
    new_primary.run(f"CREATE DATABASE {name}")
    new_primary.run(f"GRANT {RIGHTS} ON {name}.* TO clerk@'127.0.0.1'")
    proxy = Proxy(database_server.port)
    url = database_server.url(name).replace("game:", "clerk:")
    open_service(url=url.replace(str(database_server.port), str(new_primary.port))).close()
    guerdon = open_guerdon(
        write_config(url=url.replace(str(database_server.port), str(proxy.port)))
    )
    try:
        assert post_vote(guerdon, "before").status_code == 204
        fill_pool(guerdon.database, 24)
        assert guerdon.database.pool.count_idle() >= 24
        database_server.run("SET GLOBAL read_only = 1")
        proxy._target = ("127.0.0.1", new_primary.port)

        statuses = [post_vote(guerdon, f"after-{n}").status_code for n in range(24)]

        assert statuses == [204] * 24
        count = "SELECT COUNT(*) FROM guerdon_events"
        assert new_primary.run(count, database=name) == ((24,),)
        assert database_server.run(count, database=name) == ((1,),)
        assert ask_ready(guerdon) == (200, "")
    finally:
        guerdon.close()
        proxy.close()
