"""Fresh databases for tests, wherever --guerdon-database says."""

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import pytest

from app.database.opening import open_mysql
from app.testing.requiring import require

SERVERS = ("mariadb", "mysql")


class Databases(Protocol):
    """Makes a database for a test and removes it."""

    def make(self, folder: Path) -> AbstractContextManager[str]:
        """A context with the URL of an empty database; `folder` is the test's own."""


class Files:
    """A SQLite file in each test's folder."""

    @contextmanager
    def make(self, folder: Path) -> Iterator[str]:
        yield f"sqlite:///{folder}/guerdon.db"


class OnServer:
    """Databases on a server that somebody runs, dropped after their tests."""

    def __init__(self, url: str) -> None:
        """`url` as mysql://user:password@host:port/, with or without a name."""
        self._parts = urlsplit(url)

    @contextmanager
    def make(self, folder: Path) -> Iterator[str]:
        name = f"guerdon_test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(self._parts._replace(path=f"/{name}"))
        finally:
            self._run(f"DROP DATABASE {name}")

    def _run(self, statement: str) -> None:
        database = open_mysql(urlunsplit(self._parts._replace(path="/information_schema")))
        try:
            database.execute_sql(statement)
        finally:
            database.close_all()


@contextmanager
def open_databases(chosen: str, folders: Any) -> Iterator[Databases]:
    """`chosen`: sqlite, mariadb, mysql, or a URL; a server that is not installed skips the test."""
    if chosen == "sqlite":
        yield Files()
    elif chosen in SERVERS:
        server = start_server(chosen, folders.mktemp(chosen))
        try:
            yield OnServer(server.url("mysql"))
        finally:
            server.stop()
    elif urlsplit(chosen).scheme in SERVERS:
        yield OnServer(chosen)
    else:
        raise pytest.UsageError(
            "--guerdon-database: sqlite, mariadb, mysql, or mysql://user:password@host:port/"
        )


def start_server(kind: str, folder: Path) -> Any:
    """A MariaDB or MySQL of our own."""
    if find_spec("pymysql") is None:
        raise pytest.UsageError(
            f"--guerdon-database={kind} needs a driver: pip install 'guerdon[mysql]'"
        )
    from app.testing import database_servers, mysql

    if kind == "mariadb":
        require(database_servers.find_mariadb(), "mariadb-server")
        return database_servers.MariaDBServer(folder)
    try:
        return database_servers.MySQLServer(folder)
    except mysql.MySQLMissing as missing:
        pytest.skip(f"MySQL cannot be had here: {missing}")
