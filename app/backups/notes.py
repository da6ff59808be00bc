"""When a backup was last made, kept in the studio's folder `var` for whoever looks after them."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from app.config.reading import find_folder
from app.database.urls import make_private_folder

NAME = "last-backup.json"


@dataclass(frozen=True)
class Note:
    """Of a backup that was whole: when it was begun (ms since the epoch), where it is, its bytes."""

    at: int
    file: str
    bytes: int


def find_note(config: Path) -> Path:
    """Where the note of this config's last backup is."""
    return find_folder(config) / "var" / NAME


def write_note(config: Path, note: Note) -> None:
    """Replace what was noted before. Raises OSError where the folder cannot be written."""
    path = find_note(config)
    make_private_folder(path.parent)
    written = path.with_suffix(f".{os.getpid()}.part")
    written.write_text(json.dumps(asdict(note)), "utf-8")
    written.replace(path)


def read_note(config: Path) -> Note | None:
    """What is noted of the last backup; None where none is, or it cannot be read."""
    with suppress(OSError, ValueError, TypeError):
        note = Note(**json.loads(find_note(config).read_text("utf-8")))
        if type(note.at) is int and type(note.bytes) is int:
            return note
    return None
