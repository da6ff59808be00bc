"""The PHP side: the platform's own sample under nginx and php-fpm, set up as for production.

opcache is on, children are there from the start, queues are long enough for every connection, and
its tables are the leanest that its statements need.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from app.testing.database_servers import MariaDBServer
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until
from bench.load import list_family
from bench.sample import cut_sample, make_settings, set_settings

CHILDREN = 16
TABLES = (
    "CREATE TABLE gamemonitoring_webhooks (event_type VARCHAR(64) NOT NULL,"
    " event_id VARCHAR(64) NOT NULL, PRIMARY KEY (event_type, event_id))"
    " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, nickname VARCHAR(255) NOT NULL UNIQUE,"
    " balance DECIMAL(18, 2) NOT NULL DEFAULT 0) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
)
FPM = """
[global]
error_log = {folder}/php-fpm.log
log_level = warning
daemonize = no
[bench]
{user}
listen = {folder}/php.sock
listen.backlog = 1024
pm = static
pm.max_children = {children}
"""
NGINX = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            fastcgi_pass unix:{folder}/php.sock;
            fastcgi_param SCRIPT_FILENAME {folder}/webhook.php;
            fastcgi_param SCRIPT_NAME /webhook.php;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
    }}
}}
"""


def find_fpm() -> str | None:
    """php-fpm's path: Debian's has its version in its name."""
    names = [path.name for path in Path("/usr/sbin").glob("php-fpm*")]
    return next(filter(None, map(shutil.which, ["php-fpm", *sorted(names, reverse=True)])), None)


def find_missing() -> list[str]:
    """The Debian packages that this side lacks."""
    fpm = find_fpm()
    modules = subprocess.check_output([fpm, "-m"], text=True) if fpm else ""
    lacks = {
        "nginx-light": not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()),
        "php-fpm": not fpm,
        "php-mysql": "pdo_mysql" not in modules,
        "mariadb-server": not shutil.which("mariadbd"),
    }
    return [package for package, is_missing in lacks.items() if is_missing]


class Php:
    """nginx and php-fpm with the sample, on a database of their own."""

    name = "php"

    def __init__(self, folder: Path, document: bytes, mariadb: MariaDBServer, api_url: str) -> None:
        self._mariadb = mariadb
        self._database = mariadb.create_database()
        self._folder = folder
        settings = make_settings(api_url, mariadb.url(self._database), "1.00")
        script = folder / "webhook.php"
        script.write_bytes(set_settings(cut_sample(document), settings))
        long_ago = time.time() - 3600  # opcache leaves out a file that was written just now
        os.utime(script, (long_ago, long_ago))
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def fill(self, players: list[str]) -> None:
        for table in TABLES:
            self._mariadb.run(table, database=self._database)
        marks = ", ".join(["(%s)"] * len(players))
        insert = f"INSERT INTO users (nickname) VALUES {marks}"
        self._mariadb.run(insert, players, database=self._database)

    def start(self) -> None:
        folder, fpm = self._folder, find_fpm()
        assert fpm
        is_root = os.geteuid() == 0
        name = pwd.getpwuid(os.geteuid()).pw_name
        facts: dict[str, Any] = {"folder": folder, "children": CHILDREN, "port": self.port}
        (folder / "php-fpm.conf").write_text(
            FPM.format(**facts, user=f"user = {name}\ngroup = {name}" if is_root else "")
        )
        (folder / "nginx.conf").write_text(
            NGINX.format(**facts, user=f"user {name};" if is_root else "")
        )
        as_root = ["-R"] if is_root else []
        self._run(fpm, "-F", *as_root, "-y", f"{folder}/php-fpm.conf")
        wait_until((folder / "php.sock").exists)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self._run(
            nginx, "-p", str(folder), "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"
        )
        wait_until(self._is_up)

    def _run(self, *command: str) -> None:
        with (self._folder / "output.log").open("ab") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def _is_up(self) -> bool:
        assert all(one.poll() is None for one in self._processes), self.read_logs()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def read_logs(self) -> str:
        """What nginx and php-fpm said, its last lines."""
        logs = sorted(self._folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in logs)

    def stop(self) -> None:
        for one in reversed(self._processes):
            one.terminate()
            one.wait(20)
        self._processes.clear()

    def list_processes(self) -> list[int]:
        """All of both."""
        return [pid for one in self._processes for pid in list_family(one.pid)]

    def list_workers(self) -> list[int]:
        """php-fpm's children."""
        return list_family(self._processes[0].pid)[1:]

    def count_paid(self) -> tuple[int, int]:
        """How many events are stored, and the sum of all balances."""
        sql = "SELECT (SELECT COUNT(*) FROM gamemonitoring_webhooks), SUM(balance) FROM users"
        ((events, balance),) = self._mariadb.run(sql, database=self._database)
        return int(events), int(balance)
