"""A Galera cluster on loopback: three nodes that a test may kill, freeze, cut off and bring back."""

import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pymysql

from app.testing.database_servers import connect_by_socket, install_mariadb
from app.testing.deliveries import API_KEY, TOKEN
from app.testing.requiring import require
from app.testing.waiting import wait_until

LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
NODES = 3
PATIENCE = 60  # seconds for a node to join; it copies everything
IS_ROOT = os.geteuid() == 0  # then it runs as mysql: rsync would write the copy as nobody
STATE = ("cluster_status", "cluster_size", "local_state_comment", "ready")


class Ports(NamedTuple):
    """Where a node listens: for clients, the group, missing write sets, and a whole copy."""

    sql: int
    group: int
    increments: int
    copy: int


def require_galera() -> None:
    """Skip the test, or fail it, where a cluster cannot be started."""
    require(shutil.which("mariadbd") or Path("/usr/sbin/mariadbd").exists(), "mariadb-server")
    require(LIBRARY.exists(), "galera-4")
    require(shutil.which("rsync"), "rsync")


def find_free_ports(count: int) -> list[int]:
    """Free ports that the system does not give to outgoing connections: a killed node wants its own back."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(range(10_000, lowest), 2_000):
            with suppress(OSError):  # somebody has it
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise AssertionError(f"fewer than {count} ports are free")


class Node:
    """One mariadbd of a cluster, in a folder of its own; its commits survive a kill, not a power cut."""

    def __init__(self, number: int, folder: Path, ports: Ports, members: str) -> None:
        """`members` are the group's addresses, HOST:PORT,HOST:PORT,…"""
        self.name = f"node{number}"
        self.folder = folder / self.name
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.ports = ports
        self._process: subprocess.Popen[bytes] | None = None
        self.temporary = self.folder / "tmp"  # else it removes other servers' temporary tables
        for folder in (self.folder, self.data, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)
            if IS_ROOT:
                shutil.chown(folder, "mysql")
        self.config = self.folder / "my.cnf"
        self.config.write_text(self._make_config(members))

    def _make_config(self, members: str) -> str:
        here, ports = "127.0.0.1", self.ports
        options = (
            f"base_host={here};base_port={ports.group};gmcast.listen_addr=tcp://{here}:{ports.group};"
            f"ist.recv_addr={here}:{ports.increments};ist.recv_bind={here}:{ports.increments};"
            "gcache.size=32M"
        )
        return f"""[mariadbd]
{"user=mysql" if IS_ROOT else ""}
datadir={self.data}
tmpdir={self.temporary}
socket={self.folder}/socket
pid-file={self.folder}/pid
bind-address={here}
port={ports.sql}
max-connections=500
binlog-format=ROW
default-storage-engine=InnoDB
innodb-autoinc-lock-mode=2
innodb-flush-log-at-trx-commit=2
innodb-buffer-pool-size=64M
innodb-log-file-size=32M
wsrep-on=ON
wsrep-provider={LIBRARY}
wsrep-provider-options={options}
wsrep-cluster-name=guerdon-{members.partition(",")[0].rpartition(":")[2]}
wsrep-cluster-address=gcomm://{members}
wsrep-node-name={self.name}
wsrep-node-address={here}:{ports.group}
wsrep-node-incoming-address={here}:{ports.sql}
wsrep-sst-method=rsync
wsrep-sst-receive-address={here}:{ports.copy}
wsrep-sst-donor=node{NODES},
"""

    def start(self, is_first: bool = False) -> None:
        """Join the cluster, or found it; returns when in step with the others."""
        binary = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        command = [binary, f"--defaults-file={self.config}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(["--wsrep-new-cluster"] if is_first else [])],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait_for(lambda: self.is_synced, PATIENCE)

    def wait_for(self, condition: Callable[[], Any], timeout: float = 30) -> None:
        """Wait, and show the end of the log where that is in vain."""
        try:
            wait_until(condition, timeout, 0.1)
        except AssertionError:
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
            raise AssertionError(
                f"{self.name} is {self.read_state()}; its log ends:\n{end}"
            ) from None

    def connect(self, database: str | None = None) -> Any:
        return connect_by_socket(self.folder, database, read_timeout=20)

    def run(self, sql: str, database: str | None = None) -> Any:
        """All rows of one statement."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def read_status(self) -> dict[str, str]:
        """Every wsrep_… status, without the prefix; {} when the node does not answer."""
        with suppress(pymysql.Error):
            rows = self.run("SHOW GLOBAL STATUS LIKE 'wsrep%'")
            return {name.removeprefix("wsrep_"): value for name, value in rows}
        return {}

    def read_state(self) -> dict[str, str]:
        status = self.read_status()
        return {name: status.get(name, "") for name in STATE}

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def is_synced(self) -> bool:
        assert self.is_running, f"{self.name} ended"
        state = self.read_state()
        return (state["cluster_status"], state["local_state_comment"], state["ready"]) == (
            "Primary", "Synced", "ON",
        )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL; start() brings it back, with a copy of the others' data."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._end(signal.SIGTERM)
        self.kill()

    def _end(self, how: int) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            with suppress(ProcessLookupError):  # what it started to copy data with
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None

    def freeze(self) -> None:
        """It accepts connections and never answers, until thaw()."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def cut_off(self) -> None:
        """Cut it off from the other nodes, not from its clients; returns when it knows."""
        self.run("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
        self.wait_for(lambda: self.read_state()["cluster_status"] == "non-Primary")

    def join_up(self) -> None:
        """Undo cut_off(); returns when in step with the others again."""
        self.run("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
        self.wait_for(lambda: self.is_synced)

    def url(self, database: str) -> str:
        return f"mysql://game:p%40ss@127.0.0.1:{self.ports.sql}/{database}"


class GaleraCluster:
    """Three nodes; what one is told, all know. The last one is who copies its data to those who join."""

    def __init__(self, folder: Path) -> None:
        """In a folder that the user mysql can enter, where the tests are run by root."""
        numbers = find_free_ports(4 * NODES)
        ports = [Ports(*numbers[start : start + 4]) for start in range(0, len(numbers), 4)]
        members = ",".join(f"127.0.0.1:{one.group}" for one in ports)
        self.nodes = [Node(n, folder, one, members) for n, one in enumerate(ports, 1)]
        self._databases = 0

    def start(self) -> None:
        first = self.nodes[0]
        install_mariadb(f"--defaults-file={first.config}", "--wsrep-on=OFF")
        first.start(is_first=True)
        first.run("CREATE USER game@'127.0.0.1' IDENTIFIED BY 'p@ss'")
        first.run("GRANT ALL ON *.* TO game@'127.0.0.1'")
        for node in self.nodes[1:]:
            node.start()

    def stop(self) -> None:
        for node in reversed(self.nodes):
            node.thaw()
            node.stop()

    def mend(self) -> None:
        """Bring back whatever a test that failed left killed, frozen or cut off."""
        for node in self.nodes:
            node.thaw()
            if not node.is_running:
                node.start()
            elif not node.is_synced:
                node.join_up()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """All nodes are there, and in step."""
        for node in self.nodes:
            node.wait_for(
                lambda n=node: n.is_synced and n.read_state()["cluster_size"] == str(NODES)
            )

    def create_database(self) -> str:
        """A fresh database with the server's own default character set; its name."""
        self._databases += 1
        name = f"guerdon_{self._databases}"
        self.nodes[0].run(f"CREATE DATABASE {name}")
        return name

    def count_conflicts(self) -> int:
        """Transactions that a node had to undo, so far, for another node's."""
        names = ("local_cert_failures", "local_bf_aborts")
        return sum(int(node.read_status()[name]) for node in self.nodes for name in names)


def write_host(
    folder: Path, url: str, plugins: str, rewards: str = "", more: str = "", vote_api: str = ""
) -> Path:
    """The config of one of several hosts, in a folder of its own."""
    folder.mkdir()
    sections = plugins.format(vote_api=vote_api, token=TOKEN)
    path = folder / "guerdon.toml"
    path.write_text(
        f'[database]\nurl = "{url}"\ndurable = false\n[api]\nkeys = ["{API_KEY}"]\n{sections}\n{more}\n'
    )
    (folder / "rewards.toml").write_text(rewards)
    return path
