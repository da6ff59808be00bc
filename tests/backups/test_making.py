"""guerdon backup and guerdon restore-check, on each kind of database."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.backups.dumping import is_mysqls, list_settings, require_whole_dump, write_login
from app.backups.making import copy_file, make_backup, require_room
from app.backups.notes import read_note
from app.backups.trying import say
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError
from app.testing.database_servers import DatabaseServer
from tests.stories.test_backups import under_load
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
Run = Callable[..., subprocess.CompletedProcess[str]]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A command in a process of its own, beside the service's."""

    def run_one(*words: str, path: str = "") -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"GUERDON_CONFIG": str(tmp_path / "guerdon.toml")}
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words], check=False, capture_output=True, text=True,
            env=environment | ({"PATH": path} if path else {}),
        )  # fmt: skip

    return run_one


def test_it_works(open_service: Open, run: Run, tmp_path: Path) -> None:
    guerdon, copy = open_service(), tmp_path / "copy"

    with under_load(guerdon) as count:
        certain = count()  # nothing may be missing that was paid a moment before it began
        make_backup(guerdon, copy)
        latest = count() + 1

    tried = run("restore-check", str(copy))
    assert (tried.returncode, tried.stderr) == (0, ""), tried.stderr
    events = int(tried.stdout.partition(" events")[0].replace(",", ""))
    assert certain <= events <= latest
    assert f"{events:,} events, {events:,} grants" in tried.stdout
    assert "the last event: server.vote v" in tried.stdout
    assert tried.stdout.endswith("would work\n")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    note = read_note(guerdon.config.path)
    assert note is not None
    assert (note.file, note.bytes) == (str(copy), copy.stat().st_size)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


def test_what_is_there_is_replaced_only_when_asked_to(
    open_service: Open, run: Run, tmp_path: Path
) -> None:
    open_service().database.close_all()
    copy = tmp_path / "copy"
    copy.write_text("another")

    refused = run("backup", str(copy))
    assert (refused.returncode, copy.read_text()) == (1, "another")
    assert "--replace" in refused.stderr
    assert run("backup", "--replace", str(copy)).returncode == 0
    assert run("restore-check", str(copy)).returncode == 0


@on_sqlite
def test_a_backup_that_is_damaged_or_another_thing_is_found(
    open_service: Open, run: Run, tmp_path: Path
) -> None:
    guerdon, copy = open_service(), tmp_path / "copy.db"
    settle(guerdon, *(make_work(f"v{number}") for number in range(400)))
    assert run("backup", str(copy)).returncode == 0
    whole = copy.read_bytes()

    for harm, said in {
        whole[: len(whole) // 2]: "damaged",
        whole[:8192] + os.urandom(len(whole) - 8192): "",
        b"": "no SQLite database",
        b"CREATE TABLE a (b INT);\n": "no SQLite database",
    }.items():
        copy.write_bytes(harm)
        tried = run("restore-check", str(copy))
        assert (tried.returncode, "would work" in tried.stdout) == (1, False)
        assert said in tried.stderr
        assert "Traceback" not in tried.stderr

    with closing(sqlite3.connect(copy := tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE game (id INTEGER)")
    tried = run("restore-check", str(copy))
    assert tried.returncode == 1
    assert "lacks the tables" in tried.stderr


@on_sqlite
def test_a_file_that_was_copied_without_its_wal_is_found(
    open_service: Open, run: Run, tmp_path: Path
) -> None:
    """As `cp` does, right after the tables were made."""
    guerdon = open_service()
    settle(guerdon, make_work("v1"))
    (tmp_path / "copy.db").write_bytes((tmp_path / "guerdon.db").read_bytes())

    tried = run("restore-check", str(tmp_path / "copy.db"))

    assert "1 events" not in tried.stdout


@on_sqlite
def test_of_another_version_it_says_what_to_do(
    open_service: Open, run: Run, tmp_path: Path
) -> None:
    guerdon, copy = open_service(), tmp_path / "copy.db"
    assert run("backup", str(copy)).returncode == 0
    with closing(sqlite3.connect(copy)) as later, later:
        later.execute("INSERT INTO guerdon_migrations (name, applied) SELECT '9999_later', applied"
                      " FROM guerdon_migrations LIMIT 1")  # fmt: skip
    tried = run("restore-check", str(copy))
    assert tried.returncode == 1
    assert "later version" in tried.stderr
    assert "9999_later" in tried.stderr
    guerdon.database.close_all()

    with closing(sqlite3.connect(copy)) as earlier, earlier:
        earlier.execute(
            "DELETE FROM guerdon_migrations WHERE name LIKE '9999%' OR name LIKE '0008%'"
        )
    tried = run("restore-check", str(copy))
    assert (tried.returncode, tried.stderr) == (0, "")
    assert "run `guerdon migrate`" in tried.stdout


@on_sqlite
def test_no_backup_takes_the_name_of_the_database_or_lies_nowhere(
    open_service: Open, run: Run, tmp_path: Path
) -> None:
    open_service().database.close_all()
    for name, said in {"guerdon.db": "the database itself", "none/copy": "no folder"}.items():
        done = run("backup", "--replace", str(tmp_path / name))
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr


@on_sqlite
def test_what_is_not_whole_gets_no_name(open_service: Open, tmp_path: Path) -> None:
    guerdon, part = open_service(), tmp_path / "part"
    live = Path(guerdon.database.database)

    with pytest.raises(GuerdonError, match="lacks the tables more"):
        copy_file(live, part, {"more"})
    with pytest.raises(GuerdonError, match="it needs"):
        require_room(live, tmp_path, 1000)


def test_a_dump_that_is_cut_off_is_found(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text("CREATE TABLE `a` (\n);\nINSERT INTO `a` VALUES ('-- Dump completed');\n")
    with pytest.raises(GuerdonError, match="cut off"):
        require_whole_dump(dump, {"a"})
    dump.write_text("CREATE TABLE `a` (\n);\n-- Dump completed on 2026\n\n")
    require_whole_dump(dump, {"a"})
    with pytest.raises(GuerdonError, match="lacks the tables b"):
        require_whole_dump(dump, {"a", "b"})
    dump.write_text("-- Dump completed on 2026\nCREATE TABLE `a` (\n")
    with pytest.raises(GuerdonError, match="cut off"):
        require_whole_dump(dump, {"a"})


@pytest.mark.on_servers
def test_any_password_reaches_the_server_and_no_command_line(
    open_service: Open, run: Run, database_server: DatabaseServer, database_url: str, tmp_path: Path
) -> None:
    """A dumper of our own writes down what it was started with, and becomes the real one."""
    server, copy = database_server, tmp_path / "copy.sql"
    name = urlsplit(database_url).path.removeprefix("/")
    server.run("CREATE USER IF NOT EXISTS odd@'127.0.0.1' IDENTIFIED BY 'a#b\"c\\\\d''e '")
    server.run(f"GRANT ALL ON {name}.* TO odd@'127.0.0.1'")
    odd = f"mysql://odd:a%23b%22c%5Cd%27e%20@127.0.0.1:{server.port}/{name}"
    open_service(url=odd).database.close_all()
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("mariadb-dump", "mariadb"):
        (programs / tool).write_text(
            f'#!/bin/sh\necho "$@" >>{tmp_path}/words\n[ $1 = --version ] || stat -c %a "${{1#*=}}"'
            f' >>{tmp_path}/modes\nPATH={os.environ["PATH"]} exec {tool} "$@"\n'
        )
        (programs / tool).chmod(0o755)

    made = run("backup", str(copy), path=f"{programs}:{os.environ['PATH']}")
    assert (made.returncode, made.stderr) == (0, "")
    assert "a#b" not in (tmp_path / "words").read_text()
    assert (tmp_path / "modes").read_text().split() == ["600"]

    tried = run("restore-check", str(copy))  # this user may make no database
    assert tried.returncode == 1
    assert "--into" in tried.stderr
    empty = server.create_database()
    server.run(f"GRANT ALL ON {empty}.* TO odd@'127.0.0.1'")
    tried = run("restore-check", str(copy), "--into", empty)
    assert (tried.returncode, tried.stderr) == (0, "")
    again = run("restore-check", str(copy), "--into", empty)
    assert "not empty" in again.stderr


@pytest.mark.on_servers
def test_without_a_dumper_it_says_what_to_install(
    open_service: Open, run: Run, database_url: str, tmp_path: Path
) -> None:
    open_service().database.close_all()
    done = run("backup", str(tmp_path / "copy"), path=str(tmp_path))

    assert done.returncode == 1
    assert "mariadb-client" in done.stderr
    assert not (tmp_path / "copy").exists()
    assert read_note(tmp_path / "guerdon.toml") is None


def test_what_the_url_says_is_written_for_the_client() -> None:
    lines = list(list_settings({"host": "h", "password": "a\\b", "ssl_ca": "/ca.pem"}))

    assert lines == ['host="h"', 'password="a\\\\b"', 'ssl-ca="/ca.pem"', "protocol=tcp"]
    with write_login("mysql://user:secret@h/name") as (path, name):
        assert (name, path.parent.stat().st_mode & 0o77) == ("name", 0)
        kept = path
    assert not kept.parent.exists()
    assert is_mysqls("/bin/echo")  # a program that says nothing of MariaDB


def test_one_is_not_many() -> None:
    assert [say(number, "event") for number in (0, 1, 2000)] == [
        "0 events",
        "1 event",
        "2,000 events",
    ]
