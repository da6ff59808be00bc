"""A backup: written beside its name, looked through, and only then given it; the service goes on paying."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.backups.dumping import dump_database, require_whole_dump
from app.backups.notes import Note, write_note
from app.database.models import LEDGER
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError


def make_backup(guerdon: Guerdon, path: Path, may_replace: bool = False) -> Note:
    """A backup of the whole database, the players' table with the ledger, of one moment; and its note.

    Raises GuerdonError where it cannot be made, or is not whole; then nothing lies at `path`, or what
    lay there before.
    """
    path, begun_at = path.absolute(), guerdon.now()
    require_place(guerdon, path, may_replace)
    names = list_tables(guerdon)
    try:
        with write_beside(path) as part:
            if guerdon.database.family == "sqlite":
                copy_file(Path(guerdon.database.database).absolute(), part, names)
            else:
                dump_database(guerdon.config.database.url, part)
                require_whole_dump(part, names)
    except OSError as error:
        raise GuerdonError(f"no backup: {path.parent}: {error.strerror}") from None
    note = Note(begun_at, str(path), path.stat().st_size)
    try:
        write_note(guerdon.config.path, note)
    except OSError as error:
        raise GuerdonError(
            f"{path} is whole, but could not be noted beside the config: {error}"
        ) from None
    return note


def require_place(guerdon: Guerdon, path: Path, may_replace: bool) -> None:
    """Raise GuerdonError where a backup may not come to lie there."""
    if not path.parent.is_dir():
        raise GuerdonError(f"there is no folder {path.parent}: make it first")
    live = Path(guerdon.database.database) if guerdon.database.family == "sqlite" else None
    if live and path.exists() and live.exists() and path.samefile(live):
        raise GuerdonError(f"{path} is the database itself: name another file")
    if path.exists() and not (may_replace and path.is_file()):
        raise GuerdonError(f"{path} is there already: name another file, or say --replace")


def list_tables(guerdon: Guerdon) -> set[str]:
    """The names of the tables that a backup has to hold: ours, the plugins', the players'."""
    models = [*LEDGER, *guerdon.plugins.models]
    return {model._meta.table_name for model in models} | {guerdon.config.players.table}


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A file for us alone beside `path`, that becomes it, kept on the disk, unless an error is raised."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        keep(part, os.O_RDWR)
        part.replace(path)
        keep(path.parent, os.O_RDONLY)
    finally:
        part.unlink(missing_ok=True)


def keep(path: Path, how: int) -> None:
    """Until this returns, the file, or the names in a folder, may be lost with the machine's power."""
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy_file(source: Path, part: Path, names: set[str]) -> None:
    """A SQLite database of one moment in one file; raises GuerdonError where the copy is not whole.

    In one step: by pages, each write of another process would begin it anew. What is written meanwhile
    goes into the WAL, and keeps nobody waiting.
    """
    require_room(source, part.parent, measure_room(part.parent))
    try:
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(part)) as copy,
        ):
            live.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")  # nothing of it lies beside it
        require_whole_file(part, names)
    except sqlite3.Error as error:
        raise GuerdonError(f"no backup: {error}") from None


def require_room(source: Path, folder: Path, left: int) -> None:
    """Raise GuerdonError where `left` bytes in the folder are too few for the copy."""
    parts = (source, Path(f"{source}-wal"))
    needed = sum(one.stat().st_size for one in parts if one.exists())
    if needed > left:
        raise GuerdonError(
            f"no backup: {folder} has {left / 2**20:,.1f} MiB left, and it needs"
            f" {needed / 2**20:,.1f}"
        )


def measure_room(folder: Path) -> int:
    """Bytes that this user may still write on a folder's disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def require_whole_file(path: Path, names: set[str]) -> None:
    """Raise GuerdonError unless SQLite finds the file sound, and these tables in it."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy:
        found = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
        said = [str(line) for (line,) in copy.execute("PRAGMA integrity_check(3)")]
    if said != ["ok"]:
        raise GuerdonError(f"it is damaged: {'; '.join(said)}")
    if missing := sorted(names - found):
        raise GuerdonError(f"it lacks the tables {', '.join(missing)}")
