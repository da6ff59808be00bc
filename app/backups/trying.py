"""Whether a backup would work: a copy of it is opened, looked through, brought up to date, and inspected."""

import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from peewee import PeeweeException, fn

from app.backups.dumping import read_dump, require_whole_dump
from app.backups.making import list_tables, require_whole_file
from app.config.reading import Config
from app.database.migrating import list_pending, make_runner
from app.database.models import Event, Grant, Report, Waiting
from app.database.opening import Database, open_database
from app.database.states import ON_THEIR_WAY, BoxState
from app.database.words import explain_database_error
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import DatabaseUnavailable, GuerdonError
from app.porch.text import format_time

BEGINNING = b"SQLite format 3\0"


@dataclass(frozen=True)
class Trial:
    """What a backup holds, a line each; and every reason why it would not do, [] where it would."""

    holds: list[str]
    faults: list[str]


def try_backup(config: Config, path: Path, into: str | None = None) -> Trial:
    """Restore a backup elsewhere, and inspect what is there; the service's database is not touched.

    `into`: the name of an empty database on the config's server, where we may make none. Raises
    GuerdonError where it cannot be restored at all.
    """
    with restore(config, path, into) as url:
        guerdon = open_guerdon(config.path, url=url)
        try:
            return inspect_restored(guerdon)
        finally:
            guerdon.close()


@contextmanager
def restore(config: Config, path: Path, into: str | None) -> Iterator[str]:
    """The URL of a database that holds what the backup does, and that is gone afterwards."""
    try:
        with path.open("rb") as file:
            is_file = file.read(len(BEGINNING)) == BEGINNING
    except OSError as error:
        raise GuerdonError(f"{path} cannot be read: {error.strerror}") from None
    is_on_server = not config.database.url.startswith("sqlite")
    if is_file == is_on_server:
        kind = "a SQLite database" if is_file else "no SQLite database"
        raise GuerdonError(f"{path} is {kind}, and [database] url is of another kind")
    place = restore_dump(config, path, into) if is_on_server else restore_file(path)
    with place as url:
        yield url


@contextmanager
def restore_file(path: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="guerdon-") as folder:
        copy = Path(folder) / "restored.db"
        try:
            shutil.copyfile(
                path, copy
            )  # as whoever restores it does: that file, and nothing beside it
            require_whole_file(copy, set())
        except (OSError, sqlite3.Error) as error:
            raise GuerdonError(f"{path} cannot be restored: {error}") from None
        yield f"sqlite:///{copy}"


@contextmanager
def restore_dump(config: Config, path: Path, into: str | None) -> Iterator[str]:
    require_whole_dump(path, set())
    name = into or f"guerdon_trial_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(config.database.url)._replace(path=f"/{quote(name, safe='')}"))
    if into is None:
        run_on_server(config.database.url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    elif list_tables_there(url):
        raise GuerdonError(f"the database {name} is not empty: --into takes one that is")
    try:
        read_dump(url, path)
        yield url
    finally:
        if into is None:
            run_on_server(config.database.url, f"DROP DATABASE `{name}`")


def run_on_server(url: str, statement: str) -> None:
    database = open_database(url)
    try:
        database.execute_sql(statement)
    except PeeweeException as error:
        raise GuerdonError(
            f"{statement.partition('`')[0].strip()}: {explain_database_error(error)}; make an empty"
            " database and name it by --into"
        ) from None
    finally:
        database.close_all()


def list_tables_there(url: str) -> list[str]:
    database = open_database(url)
    try:
        with database.connection_context():
            return list(database.get_tables())
    except PeeweeException as error:
        raise GuerdonError(f"--into: {explain_database_error(error)}") from None
    finally:
        database.close_all()


def inspect_restored(guerdon: Guerdon) -> Trial:
    """What is in a restored database, brought up to date as whoever restores it would do."""
    try:
        with guerdon.database.connection_context():
            missing = list_tables(guerdon) - set(guerdon.database.get_tables())
            strange = list_strange_changes(guerdon.database)
            pending = list_pending(guerdon.database)
        if {Event._meta.table_name, guerdon.config.players.table} & missing:
            return Trial([], [f"it lacks the tables {', '.join(sorted(missing))}"])
        if strange:
            return Trial([], [f"a later version made it ({', '.join(strange)}): install that one"])
        holds = ["an earlier version made it: run `guerdon migrate` after it"] if pending else []
        if pending or missing:
            guerdon.migrate()
        with guerdon.database.connection_context():
            holds += describe_books(guerdon)
    except (PeeweeException, DatabaseUnavailable) as error:
        return Trial([], [f"it cannot be read: {explain_database_error(error)}"])
    return Trial(holds, guerdon.inspect())


def list_strange_changes(database: Database) -> list[str]:
    """The migrations that were run on this database, and that we do not know."""
    return [one.name for one in make_runner(database).status() if one.applied and not one.path]


def describe_books(guerdon: Guerdon) -> Iterator[str]:
    """What the tables hold, in numbers; each is counted, which takes a second for some millions."""
    last: Any = Event.select().order_by(Event.id.desc()).first()
    waiting = count_rows(Waiting, Waiting.state << ON_THEIR_WAY)
    yield f"{count(Event, 'event')}, {count(Grant, 'grant')}, {waiting:,} waiting"
    dead = count_rows(Waiting, Waiting.state == BoxState.DEAD)
    unsent = count_rows(Report, Report.state << ON_THEIR_WAY)
    yield f"{dead:,} dead, {say(unsent, 'report')} still to be sent"
    if last is None:
        yield "no event was settled yet"
    else:
        yield f"the last event: {last.type} {last.event_id}, {format_time(last.settled_at)}"


def count(model: Any, what: str) -> str:
    return say(count_rows(model), what)


def say(number: int, what: str) -> str:
    """1 event, 2 events, 1,000 events."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def count_rows(model: Any, where: Any = True) -> int:
    return int(model.select(fn.COUNT(model.id)).where(where).scalar())
