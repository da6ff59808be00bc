"""Fixtures: a fresh database, a config, a clock and a vote API for each test, all of them real."""

import gc
import os
import shutil
import signal
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import create_app
from app.database.models import OwnPlayer
from app.guerdon import Guerdon
from app.testing.database_servers import DatabaseServer, MariaDBServer, MySQLServer
from app.testing.databases import Files, OnServer
from app.testing.deliveries import API_KEY
from app.testing.gunicorn import Gunicorn
from app.testing.mysql import MySQLMissing
from app.testing.platforms import Platform
from app.testing.players import add_player
from app.testing.requiring import require
from tests.world.crowd import PLAYERS, REPORTING, Crowd
from tests.world.crowd import REWARDS as CROWD_REWARDS
from tests.world.galera import GaleraCluster, require_galera
from tests.world.memory import pytest_configure  # noqa: F401  (pytest finds it by its name)
from tests.world.proxying import Proxy

# The modules and tests that run on MySQL in every run; with --mysql, all that MariaDB is for.
ON_MYSQL = {
    "tests.counting.test_counting",
    "tests.paying.test_batches",
    "tests.stories.test_crash_points",
    "tests.paying.test_ledger",
    "tests.database.test_migrating",
    "tests.paying.test_settling",
    "tests.paying.test_turns",
    "tests.stories.test_under_fire.test_one_vote_delivered_two_hundred_times_at_once_is_paid_once",
    "tests.database.test_upserting",
    "tests.database.test_patience",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "run the tests that are run on MariaDB, on MySQL instead, and no others"
    parser.addoption("--mysql", action="store_true", help=text)


@pytest.hookimpl(trylast=True)  # a test's own parameters come first
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a database is run on each kind; with @pytest.mark.on_servers, on those with a server."""
    marks = list(metafunc.definition.iter_markers("parametrize"))
    if "database_url" in metafunc.fixturenames and not any(
        "database_url" in mark.args[0] for mark in marks
    ):
        module = metafunc.module.__name__
        is_on_servers = metafunc.definition.get_closest_marker("on_servers")
        kinds = ["mariadb"] if is_on_servers else ["sqlite", "mariadb"]
        if metafunc.config.getoption("--mysql"):
            kinds = ["mysql"]
        elif ON_MYSQL & {module, f"{module}.{metafunc.function.__name__}"}:
            kinds.append("mysql")
        metafunc.parametrize("database_url", kinds, indirect=True)


# Files that take minutes begin first: one that began last would keep everybody waiting for its end.
FIRST = (
    "test_reports_under_fire", "test_crash_points", "test_misbehaving_plugins", "test_under_fire",
    "test_hostile", "test_galera", "test_machine", "test_slow_database", "test_lost_connections",
    "test_outbox", "test_storms", "test_interrupting", "test_running", "test_game_api",
    "test_settling", "test_reporting", "test_playground", "test_playground_reports",
    "test_two_hosts", "test_turns", "test_batches", "test_migrating", "test_plugin_manager",
    "test_inbox", "test_galera_races", "test_players", "test_counted_crashes", "test_manual",
    "test_reward_contracts", "test_plugin_check", "test_screens", "test_bulk_retry", "test_votifier",
    "test_six_sources",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the order of FIRST, each file's tests in their own; with --mysql its variants alone."""
    turns = {stem: turn for turn, stem in enumerate(FIRST)}
    items.sort(key=lambda item: turns.get(item.path.stem, len(FIRST)))
    if config.getoption("--mysql"):
        chosen = [item for item in items if get_database_kind(item) == "mysql"]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def pytest_collection_finish() -> None:
    """What is imported and collected stays: nobody is to look through it for garbage again and again."""
    gc.collect()
    gc.freeze()


def get_database_kind(item: Any) -> str | None:
    """sqlite, mariadb or mysql; None for a test without a database."""
    call = getattr(item, "callspec", None)
    return call.params.get("database_url") if call else None


@pytest.fixture(autouse=True)
def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shell that runs the tests has set for Guerdon is not for the tests."""
    for name in list(os.environ):
        if name.startswith(("GUERDON_", "GAMEMONITORING_")) and name != "GUERDON_REQUIRE_ALL":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    require(shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists(), "mariadb-server")
    server = MariaDBServer(tmp_path_factory.mktemp("mariadb"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySQLServer]:
    """Not every machine can have it, so its tests are skipped there, whatever else is required."""
    try:
        server = MySQLServer(tmp_path_factory.mktemp("mysql"))
    except MySQLMissing as missing:
        pytest.skip(f"MySQL cannot be had here: {missing}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def galera() -> Iterator[GaleraCluster]:
    """Three nodes. A test that kills, freezes or cuts off one brings it back."""
    require_galera()
    # pytest's own folders are closed to mysql, whom the nodes run as where the tests are root.
    folder = Path(tempfile.mkdtemp(prefix="guerdon-galera-"))
    folder.chmod(0o755)
    cluster = GaleraCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/guerdon.db"
    server: DatabaseServer = request.getfixturevalue(request.param)
    return server.url(server.create_database())


@pytest.fixture
def database_server(request: pytest.FixtureRequest, database_url: str) -> DatabaseServer:
    """The MariaDB or MySQL that `database_url` is on."""
    server: DatabaseServer = request.getfixturevalue(str(get_database_kind(request.node)))
    return server


@pytest.fixture
def own_database_server(
    database_server: DatabaseServer, tmp_path: Path
) -> Iterator[DatabaseServer]:
    """One of the same kind for this test alone, which may do to it what it likes."""
    server = type(database_server)(tmp_path / "server")
    yield server
    server.send_signal(signal.SIGCONT)
    server.stop()


@pytest.fixture
def proxy(request: pytest.FixtureRequest, database_url: str) -> Iterator[Proxy]:
    """Between us and the server; nobody goes through it where the database is SQLite."""
    is_sqlite = database_url.startswith("sqlite")
    proxy = Proxy(9 if is_sqlite else request.getfixturevalue("database_server").port)
    yield proxy
    proxy.close()


@pytest.fixture
def proxied_url(database_url: str, proxy: Proxy) -> str:
    """`database_url`, but through the proxy."""
    return database_url.replace(f":{urlsplit(database_url).port}/", f":{proxy.port}/")


@pytest.fixture
def open_crowded(
    open_service: Callable[..., Guerdon], platform: Platform
) -> Callable[..., Guerdon]:
    """A migrated service with the crowd's players, rewards and reporter, to read the books with."""

    def open_one(delays: str) -> Guerdon:
        more = REPORTING.replace("{platform}", platform.url).replace("{delays}", delays)
        guerdon = open_service(CROWD_REWARDS, more)
        for number in range(PLAYERS):
            add_player(guerdon, f"p{number}")
        guerdon.database.close_all()
        return guerdon

    return open_one


@pytest.fixture
def behind_proxy(
    open_crowded: Callable[..., Guerdon], database_url: str, proxied_url: str
) -> Guerdon:
    """As open_crowded; but the config that lies there now leads through the proxy."""
    guerdon = open_crowded("0.5, 1, 2")
    path = guerdon.config.path
    path.write_text(path.read_text().replace(database_url, proxied_url))
    return guerdon


@pytest.fixture
def add_plugin(tmp_path: Path) -> Callable[..., str]:
    """Drop a studio's plugin beside ours: its source and name; returns its section, empty."""
    folder = tmp_path / "plugins"
    folder.mkdir()

    def add(source: str, name: str = "studio") -> str:
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
        return f"\n[plugins.{name}]\n"

    return add


@pytest.fixture
def guerdon_url(database_url: str) -> str:
    """For the fixtures of the kit, app.testing.plugin."""
    return database_url


@pytest.fixture
def guerdon_databases(request: pytest.FixtureRequest, database_url: str) -> Any:
    """For the contracts of the kit, which make several: where `database_url` is."""
    if database_url.startswith("sqlite"):
        return Files()
    return OnServer(request.getfixturevalue("database_server").url("mysql"))


@pytest.fixture
def guerdon_plugins(tmp_path: Path) -> Path:
    """For the fixtures of the kit."""
    return tmp_path / "plugins"


@pytest.fixture
def app(guerdon: Guerdon) -> Flask:
    """For pytest-flask's `client`."""
    app = create_app(guerdon)
    app.testing = True
    return app


@pytest.fixture
def read_gold(guerdon: Guerdon) -> Callable[..., str]:
    """A player's balance, straight from the table."""

    def read(nickname: str = "Bob") -> str:
        with guerdon.database.connection_context():
            row = OwnPlayer.get(OwnPlayer.nickname == nickname)
            return f"{row.gold:.2f}"

    return read


@pytest.fixture
def ask(client: Any) -> Callable[[str], Any]:
    """GET a path of /v1 with the key; returns the JSON."""

    def get(path: str) -> Any:
        response = client.get(path, headers={"Authorization": f"Bearer {API_KEY}"})
        assert response.status_code == 200, response.text
        return response.get_json()

    return get


@pytest.fixture
def start_crowd() -> Iterator[Callable[..., Crowd]]:
    """A crowd that posts to a gunicorn, from so many threads."""
    crowds: list[Crowd] = []

    def start(server: Gunicorn, threads: int) -> Crowd:
        crowds.append(Crowd(server.url, threads))
        return crowds[-1]

    yield start
    for crowd in crowds:
        crowd.close()


@pytest.fixture
def start_gunicorn() -> Iterator[Callable[..., Gunicorn]]:
    """Start gunicorn on a config; arguments are Gunicorn's. All are ended with the test."""
    started: list[Gunicorn] = []

    def start(*args: Any, **kwargs: Any) -> Gunicorn:
        server = Gunicorn(*args, **kwargs)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()
