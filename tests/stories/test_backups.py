"""The ways of docs/backups.md to back up, as they stand there, while votes are being paid."""

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.guerdon import Guerdon
from app.testing.requiring import require
from app.testing.waiting import wait_until
from tests.world.books import make_work, settle
from tests.world.servers import ROOT

PLACE = "takes a backup that is whole"
COMMANDS = re.search(
    rf"{PLACE}.*?```sh\n(.*?)```", (ROOT / "docs" / "backups.md").read_text(), re.S
)
assert COMMANDS
ON_SQLITE = [line for line in COMMANDS[1].splitlines() if "sqlite3" in line]
[ON_MARIADB] = [line for line in COMMANDS[1].splitlines() if "mariadb-dump" in line]


@contextmanager
def under_load(guerdon: Guerdon) -> Iterator[Callable[[], int]]:
    """Votes are paid all the time, one a commit; how many there are for certain."""
    paid, is_over = 0, threading.Event()

    def pay() -> None:
        nonlocal paid
        while not is_over.is_set():
            settle(guerdon, make_work(f"v{paid}"))
            paid += 1
        guerdon.database.close()

    thread = threading.Thread(target=pay)
    thread.start()
    try:
        wait_until(lambda: paid > 50)
        yield lambda: paid
        before = paid
        wait_until(lambda: paid > before + 5)  # nobody was kept from paying
    finally:
        is_over.set()
        thread.join()


def run(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", command], check=False, cwd=folder, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), command


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("command", ON_SQLITE)
def test_it_works(command: str, open_service: Any, tmp_path: Path) -> None:
    require(shutil.which("sqlite3") or not command.startswith("sqlite3"), "sqlite3")
    (tmp_path / "var").mkdir()
    guerdon = open_service(url=f"sqlite:///{tmp_path}/var/guerdon.db")
    command = command.replace(".venv/bin/python", sys.executable)

    with under_load(guerdon) as count:
        certain = count()
        run(command, tmp_path)
        latest = count() + 1

    with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        [(events,)] = copy.execute("SELECT COUNT(*) FROM guerdon_events")
        [(grants,)] = copy.execute("SELECT COUNT(*) FROM guerdon_grants")
        [(gold,)] = copy.execute("SELECT gold FROM players WHERE nickname = 'Bob'")
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert certain <= events <= latest
    assert (grants, gold) == (events, events * 100)  # of one moment: each event with what it earned


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_mariadbs_dump_is_of_one_moment_too(
    open_service: Any, mariadb: Any, database_url: str, tmp_path: Path
) -> None:
    require(shutil.which("mariadb-dump"), "mariadb-dump")
    guerdon = open_service()
    name, copied = database_url.rpartition("/")[2], mariadb.create_database()
    options = f"--host=127.0.0.1 --port={urlsplit(database_url).port} --user=game"
    programs = tmp_path / "my.cnf"
    programs.write_text("[client]\npassword=p@ss\n")
    command = ON_MARIADB.replace(" game ", f" {name} ")
    dump = command.replace("mariadb-dump", f"mariadb-dump --defaults-file={programs} {options}")

    with under_load(guerdon) as count:
        certain = count()
        run(dump, tmp_path)

    run(f"mariadb --defaults-file={programs} {options} {copied} < backup.sql", tmp_path)
    [(events,)] = mariadb.run("SELECT COUNT(*) FROM guerdon_events", database=copied)
    [(gold,)] = mariadb.run("SELECT gold FROM players WHERE nickname = 'Bob'", database=copied)
    assert events >= certain
    assert gold == events * 100
