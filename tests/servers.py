"""Real servers for tests: MariaDB and gunicorn, each on a free port, each ended by its test."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
import requests

ROOT = Path(__file__).parent.parent
REQUIRE_ALL = os.environ.get("GUERDON_REQUIRE_ALL") == "1"


def require(found: Any, what: str) -> None:
    """Skip the test that lacks something; with GUERDON_REQUIRE_ALL=1, fail it."""
    if not found:
        (pytest.fail if REQUIRE_ALL else pytest.skip)(f"{what} is not installed")


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], timeout: float = 20.0, pause: float = 0.05) -> Any:
    """What `condition` returns once it is true; the test fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {timeout} s: {condition}")


class MariaDBServer:
    """mariadbd in a folder of its own, with durable commits and its own bad defaults left as they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", *user, f"--datadir={folder}/data",
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        self._command = [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", *user,
            f"--datadir={folder}/data", f"--socket={folder}/socket", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--max-connections=500",
            "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=128M",
        ]  # fmt: skip
        self.start()
        self.run("CREATE USER game@'127.0.0.1' IDENTIFIED BY 'p@ss'")
        self.run("GRANT ALL ON *.* TO game@'127.0.0.1'")

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
        wait_until(self.is_up, 60)

    def is_up(self) -> bool:
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
        assert self._process is not None
        self._process.send_signal(how)

    def create_database(self) -> str:
        """A fresh database with the server's own default character set; its name."""
        self._databases += 1
        name = f"guerdon_{self._databases}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def url(self, name: str) -> str:
        return f"mysql://game:p%40ss@127.0.0.1:{self.port}/{name}"


class Gunicorn:
    """`guerdon serve` with its own session, so that all of it can be killed at once."""

    def __init__(self, config: Path, workers: int = 2, log: Path | None = None) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or config.parent / f"gunicorn-{self.port}.log"
        self._environment = os.environ | {
            "GUERDON_CONFIG": str(config),
            "GUERDON_BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": str(workers),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "serve"], cwd=ROOT, env=self._environment,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(self.is_ready, 30)

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


class Proxy:
    """Stands between us and a server on loopback; cuts a connection, or freezes all of them.

    A frozen proxy accepts and says nothing, like a server that hangs.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._cuts: list[tuple[bytes, bool]] = []
        self._is_shut = self._falls = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._run(self._accept)

    def cut(self, at: bytes, *, forwarded: bool, times: int = 1) -> None:
        """Hang up when `at` is sent; if `forwarded`, after the server has done it and replied."""
        self._cuts += [(at, forwarded)] * times

    @property
    def cuts_left(self) -> int:
        return len(self._cuts)

    def fall(self, at: bytes, *, forwarded: bool) -> None:
        """As cut(), and from then on it is shut."""
        self._falls = True
        self.cut(at, forwarded=forwarded)

    def shut(self) -> None:
        """Hang up on everybody, and on whoever comes."""
        self._is_shut = True
        for one in self._sockets:
            hang_up(one)
        self._sockets.clear()

    def open(self) -> None:
        """Whoever comes is served again."""
        self._is_shut = False

    def forget_cuts(self) -> None:
        """None is left, and nothing falls."""
        self._falls = False
        self._cuts.clear()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self.thaw()
        for one in [self._listener, *self._sockets]:
            hang_up(one)

    def _run(self, function: Callable[..., None], *args: Any) -> None:
        threading.Thread(target=function, args=args, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._run(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        self._flowing.wait()
        if self._is_shut:
            hang_up(client)
            return
        server = socket.create_connection(self._target)
        self._sockets.append(server)
        muted, replied = threading.Event(), threading.Event()
        self._run(self._answer, client, server, muted, replied)
        with suppress(OSError):
            while data := client.recv(65536):
                self._flowing.wait()
                cut = next((one for one in self._cuts if one[0] in data), None)
                if cut is not None:
                    self._cuts.remove(cut)
                    if cut[1]:
                        muted.set()
                        server.sendall(data)
                        assert replied.wait(10)
                    if self._falls:
                        self.shut()
                    break
                server.sendall(data)
        hang_up(client)
        hang_up(server)

    def _answer(
        self, client: socket.socket, server: socket.socket, muted: Any, replied: Any
    ) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                self._flowing.wait()
                if muted.is_set():
                    replied.set()
                    return
                client.sendall(data)
        if not muted.is_set():
            hang_up(client)


def hang_up(one: socket.socket) -> None:
    with suppress(OSError):  # not connected any more
        one.shutdown(socket.SHUT_RDWR)
    one.close()
