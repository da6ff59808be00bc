"""Real servers for tests: MariaDB, MySQL and gunicorn, each on a free port, each ended by its test."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests

from tests.world import mysql

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120.0  # seconds: what a quiet machine does at once takes long on a busy one
LOWEST_PORT, PORTS_EACH, PORT_RANGES = 12_000, 2_000, 10
REQUIRE_ALL = os.environ.get("GUERDON_REQUIRE_ALL") == "1"


def require(found: Any, what: str) -> None:
    """Skip the test that lacks something; with GUERDON_REQUIRE_ALL=1, fail it."""
    if not found:
        (pytest.fail if REQUIRE_ALL else pytest.skip)(f"{what} is not installed")


def list_ports() -> Iterator[int]:
    """Ports of this process of pytest, below those that the system gives to whoever asks for any."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_RANGES
    first = LOWEST_PORT + number * PORTS_EACH
    begin = os.getpid() % PORTS_EACH  # another run beside this one begins elsewhere
    return itertools.cycle(
        [*range(first + begin, first + PORTS_EACH), *range(first, first + begin)]
    )


PORTS = list_ports()


def find_free_port() -> int:
    """A port that nobody listens on, and that nobody else is about to take."""
    for port in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("it goes round")


def wait_until(condition: Callable[[], Any], timeout: float = PATIENCE, pause: float = 0.05) -> Any:
    """What `condition` returns once it is true; the test fails after `timeout` seconds.

    Name a shorter one only where the time is what is tested.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {timeout} s: {condition}")


def find_tracebacks(log: str) -> list[str]:
    """The lines that begin a traceback, or that hold one as structlog's `exception`.

    What others wrote may hold the word, and stands within a line: only a line's begin is ours.
    """
    return [
        line
        for line in log.splitlines()
        if line.startswith("Traceback (most recent call last)")
        or (line.startswith("{") and "exception" in read_line(line))
    ]


def read_line(line: str) -> Any:
    """A line of the log as JSON; {} where it is cut off."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def install_mariadb(*options: str) -> None:
    """The system tables of a new server; what it said where that fails."""
    command = ["mariadb-install-db", *options]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout[:4000]}{done.stderr[-2000:]}"


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
        return pymysql.connect(
            unix_socket=f"{self.folder}/socket", user="root", database=database, autocommit=True
        )

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
        with socket.socket() as probe:  # PyMySQL leaks its socket where nobody listens yet
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        self.connect().close()
        return True

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
        return [shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", *options]


class MySQLServer(DatabaseServer):
    """The mysqld that tests.world.mysql fetches. Raises MySQLMissing where it cannot be had."""

    def __init__(self, folder: Path) -> None:
        mysql.fetch_mysql()
        super().__init__(folder)

    def install(self, *places: str) -> None:
        mysql.run(*self.make_command(*places), "--initialize-insecure")

    def make_command(self, *options: str) -> list[str]:
        return mysql.make_command(*options)


class Gunicorn:
    """What `guerdon serve` becomes, in a session of its own, so that all of it can be killed at once.

    `app` is what gunicorn serves, as "tests.world.senders:make_app(4000)"; `environment` is added. With
    `by_command` it is `guerdon serve` itself, which reads the config once more: most of a second.
    """

    def __init__(
        self,
        config: Path,
        workers: int = 2,
        log: Path | None = None,
        app: str = "wsgi:app",
        by_command: bool = False,
        **environment: str,
    ) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or config.parent / f"gunicorn-{self.port}.log"
        self._environment = os.environ | {
            "GUERDON_CONFIG": str(config),
            "GUERDON_BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": str(workers),
            **environment,
        }
        self._arguments = (
            ["app.cli", "serve"]
            if by_command
            else ["gunicorn", "-c", "config/gunicorn.conf.py", app]
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments], cwd=ROOT, env=self._environment,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def list_workers(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill_all(self) -> None:
        """kill -9 of the master and every worker."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM, as an init system would; SIGKILL when it does not end."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(40)
            self.process = None
        except subprocess.TimeoutExpired:
            self.kill_all()
