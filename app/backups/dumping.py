"""MariaDB and MySQL by their own programs, whose password stands in a file for us alone."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from app.database.urls import read_mysql_options
from app.porch.errors import GuerdonError

DUMPERS, CLIENTS = ("mariadb-dump", "mysqldump"), ("mariadb", "mysql")
# One snapshot of all tables, without a lock that others would wait for; routines, for triggers use them.
OPTIONS = (
    "--single-transaction", "--skip-lock-tables", "--skip-add-locks", "--quick", "--hex-blob",
    "--routines", "--triggers", "--no-tablespaces", "--default-character-set=utf8mb4",
)  # fmt: skip
OF_MYSQL = ("--set-gtid-purged=OFF",)  # else only who administrates the server could read it in
LAST_LINE = b"-- Dump completed"
CREATED = re.compile(rb"^CREATE TABLE (?:IF NOT EXISTS )?`((?:[^`]|``)+)`")
IN_FILE = {
    "host": "host", "port": "port", "user": "user", "password": "password", "unix_socket": "socket",
    "ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key",
}  # fmt: skip
LONGEST_COMPLAINT = 300  # characters


def dump_database(url: str, part: Path) -> None:
    """Write a server's database as SQL; raises GuerdonError where its program is missing or fails."""
    program = find_program(DUMPERS)
    options = [*OPTIONS, *(OF_MYSQL if is_mysqls(program) else ())]
    with part.open("wb") as output:
        run_program(program, url, options, subprocess.DEVNULL, output)


def read_dump(url: str, path: Path) -> None:
    """Run a dump's SQL in the database of the URL; raises GuerdonError where that fails."""
    with path.open("rb") as text:
        options = ["--default-character-set=utf8mb4", "--binary-mode"]
        run_program(find_program(CLIENTS), url, options, text, subprocess.DEVNULL)


def run_program(
    program: str, url: str, options: Sequence[str], text: int | BinaryIO, output: int | BinaryIO
) -> None:
    with write_login(url) as (login, name):
        command = [program, f"--defaults-file={login}", *options, name]
        done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
            command, check=False, stdin=text, stdout=output, stderr=subprocess.PIPE
        )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[:LONGEST_COMPLAINT]
        raise GuerdonError(f"{Path(program).name} failed: {said or done.returncode}")


def find_program(names: Sequence[str]) -> str:
    """The first of these that is installed; raises GuerdonError where none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise GuerdonError(
            f"neither {' nor '.join(names)} is installed: install your server's client"
            " (Debian: mariadb-client)"
        )
    return found


def is_mysqls(program: str) -> bool:
    """Whether a program is MySQL's own; MariaDB's may go by its name."""
    done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
        [program, "--version"], check=False, capture_output=True, text=True
    )
    return "mariadb" not in done.stdout.lower()


@contextmanager
def write_login(url: str) -> Iterator[tuple[Path, str]]:
    """A file that tells a client where a database is and who asks, for its user alone; and its name."""
    from app.database.driver import Connection  # noqa: PLC0415  (the extra may be missing)

    options = read_mysql_options(url, Connection)
    folder = Path(tempfile.mkdtemp(prefix="guerdon-"))  # mode 700
    path = folder / "client.cnf"
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(["[client]", *list_settings(options), ""]))
        yield path, options["database"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def list_settings(options: dict[str, Any]) -> Iterator[str]:
    """The lines of a client's file; a password may hold whatever such a file gives a meaning."""
    for name, called in IN_FILE.items():
        if name in options:
            value = str(options[name]).replace("\\", "\\\\")
            yield f'{called}="{value}"'
    if "unix_socket" not in options:
        yield "protocol=tcp"  # "localhost" would be a socket's name to them, and is a host to us


def require_whole_dump(path: Path, names: set[str]) -> None:
    """Raise GuerdonError unless a dump came to its end, and makes these tables."""
    made, last = set[str](), b""
    with path.open("rb") as lines:
        for line in lines:
            if found := CREATED.match(line):
                made.add(found[1].replace(b"``", b"`").decode("utf-8", "replace"))
            last = line if line.startswith(LAST_LINE) else last if not line.strip() else b""
    if not last:
        raise GuerdonError("it is cut off: the line that ends a dump is missing")
    if missing := sorted(names - made):
        raise GuerdonError(f"it lacks the tables {', '.join(missing)}")
