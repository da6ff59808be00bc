"""`python -m bench.consoles`: claims delivered to a console by RCON a second, with 1 connection and with 8.

The console is a stand-in in a process of its own, which answers at once, or after the delay of a game's tick;
every send is committed before its first byte, and its end after its answer. The figures are medians of
rounds, with the least and the greatest; log lines go into a file, as those of a service do.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from statistics import median

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import queue_claims
from app.porch.types import Event, Player
from app.testing.database_servers import MariaDBServer
from tests.world import rcon_server
from tests.world.rcon_server import PASSWORD, RconServer

CONNECTIONS = (1, 8)
DELAYS = (0.0, 0.05)  # seconds until the game answers; 0.05: as long as a tick
CONFIG = """
[database]
url = "{url}"
[plugins.rcon.servers.survival]
address = "127.0.0.1:{port}"
password = "{password}"
servers = ["1"]
game = "minecraft"
connections = {connections}
"""


def run_console(delay: float) -> None:
    """As a process: say the port, and answer until standard input ends."""
    server = RconServer()
    server.delay = delay
    if delay:
        server.behave = rcon_server.answer_late
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()


@contextmanager
def open_console(delay: float) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.consoles", "--console", str(delay)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def open_service(url: str, port: int, connections: int, folder: Path) -> Iterator[Guerdon]:
    path = folder / "guerdon.toml"
    path.write_text(CONFIG.format(url=url, port=port, password=PASSWORD, connections=connections))
    (folder / "rewards.toml").write_text("")
    guerdon = open_guerdon(path)
    guerdon.migrate()
    try:
        yield guerdon
    finally:
        guerdon.close()


def measure(guerdon: Guerdon, count: int) -> float:
    """Claims a second, from the first lease to the last commit."""
    event = Event("bench", "server.vote", "v", "1", "Bob")
    claims = [(event, Player(1, "Bob"), {"command": f"give Bob c{n} 1"}) for n in range(count)]
    guerdon.database.transact(lambda is_retry: queue_claims(claims, guerdon.now()))
    began = time.monotonic()
    guerdon.delivering.serve_once()
    took = time.monotonic() - began
    with guerdon.database.connection_context():
        cursor = guerdon.database.execute_sql(
            "SELECT COUNT(*) FROM guerdon_claims WHERE state = 'done' AND sends = 1"
        )
        assert cursor.fetchone()[0] == count
    return count / took


def main() -> None:
    args = read_arguments()
    if args.console is not None:
        run_console(args.console)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
        sys.stderr = stack.enter_context((folder / "log").open("w"))
        server = None
        if shutil.which("mariadbd"):
            server = MariaDBServer(folder / "server")
            stack.callback(server.stop)
        for kind in ("sqlite", *(["mariadb"] if server else [])):
            for delay, connections in product(DELAYS, CONNECTIONS):
                count, where = args.claims // (5 if delay else 1), f"{kind}-{delay}-{connections}"
                used = server if kind == "mariadb" else None
                speeds = [
                    measure_round(folder / f"{where}-{number}", used, delay, connections, count)
                    for number in range(args.rounds)
                ]
                told = f"{kind}, answers after {delay * 1000:g} ms, connections {connections}"
                span = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
                sys.stdout.write(f"{told}: {median(speeds):,.0f} claims a second ({span})\n")
                sys.stdout.flush()
        sys.stderr = sys.__stderr__


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--console", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--claims", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure_round(
    folder: Path, server: MariaDBServer | None, delay: float, connections: int, count: int
) -> float:
    """Claims a second on a fresh database, to a fresh console."""
    folder.mkdir()
    url = server.url(server.create_database()) if server else f"sqlite:///{folder}/guerdon.db"
    with (
        open_console(delay) as port,
        open_service(url, port, connections, folder) as guerdon,
    ):
        return measure(guerdon, count)


if __name__ == "__main__":
    main()
