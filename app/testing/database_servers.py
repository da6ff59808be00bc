"""Real MariaDB and MySQL servers for tests, each on a free port, in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.testing import mysql
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until

PATIENCE_CONNECTING = 5.0  # seconds


def install_mariadb(*options: str) -> None:
    """The system tables of a new server; what it said where that fails."""
    command = ["mariadb-install-db", *options]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout[:4000]}{done.stderr[-2000:]}"


def connect_by_socket(folder: Path, database: str | None = None, **options: Any) -> Any:
    """A connection as root to the server of a folder, by its file `socket`; `options` are PyMySQL's.

    Raises pymysql.Error where nobody answers. The socket is ours: PyMySQL forgets to close one that did not
    connect, and whatever test runs as it is found would fail.
    """
    import pymysql

    connection = pymysql.connect(
        user="root", database=database, autocommit=True, defer_connect=True, **options
    )
    way = socket.socket(socket.AF_UNIX)
    try:
        way.settimeout(PATIENCE_CONNECTING)
        way.connect(f"{folder}/socket")
        connection.connect(way)
    except OSError as error:
        raise pymysql.OperationalError(2002, f"no server at {folder}/socket: {error}") from error
    finally:
        if not connection.open:
            way.close()
    return connection


def find_mariadb() -> str | None:
    """The program of the system's MariaDB; None where it has none."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


class DatabaseServer:
    """A server in a folder of its own, with durable commits and its own bad defaults left as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        # A server that starts removes the temporary tables of every other in the same tmpdir.
        (folder / "tmp").mkdir(parents=True)
        user = ["--user=root"] if os.geteuid() == 0 else []
        places = [*user, f"--datadir={folder}/data", f"--tmpdir={folder}/tmp"]
        self.install(*places)
        self._command = self.make_command(
            *places, f"--socket={folder}/socket", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--max-connections=500",
            "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=128M",
        )  # fmt: skip
        self.start()
        self.run("CREATE USER game@'127.0.0.1' IDENTIFIED BY 'p@ss'")
        self.run("GRANT ALL ON *.* TO game@'127.0.0.1'")

    def install(self, *places: str) -> None:
        """Make the system tables, with a root who has no password."""
        raise NotImplementedError

    def make_command(self, *options: str) -> list[str]:
        """What starts the server."""
        raise NotImplementedError

    def connect(self, database: str | None = None) -> Any:
        return connect_by_socket(self.folder, database)

    def run(self, sql: str, params: Any = None, database: str | None = None) -> Any:
        """All rows of one statement."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchall()
        finally:
            connection.close()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(self.is_up)

    def is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        import pymysql

        with suppress(pymysql.Error):
            self.connect().close()
            return True
        return False

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def send_signal(self, how: int) -> None:
        """SIGSTOP makes a server that accepts TCP and never answers; SIGCONT heals it."""
        if self._process is not None:
            self._process.send_signal(how)

    def create_database(self) -> str:
        """A fresh database with the server's own default character set; its name."""
        self._databases += 1
        name = f"guerdon_{self._databases}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def url(self, name: str) -> str:
        return f"mysql://game:p%40ss@127.0.0.1:{self.port}/{name}"


class MariaDBServer(DatabaseServer):
    """The system's mariadbd."""

    def install(self, *places: str) -> None:
        install_mariadb("--no-defaults", *places)

    def make_command(self, *options: str) -> list[str]:
        return [str(find_mariadb()), "--no-defaults", *options]


class MySQLServer(DatabaseServer):
    """The mysqld that app.testing.mysql fetches. Raises MySQLMissing where it cannot be had."""

    def __init__(self, folder: Path) -> None:
        mysql.fetch_mysql()
        super().__init__(folder)

    def install(self, *places: str) -> None:
        mysql.run(*self.make_command(*places), "--initialize-insecure")

    def make_command(self, *options: str) -> list[str]:
        return mysql.make_command(*options)
