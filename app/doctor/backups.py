"""The last backup that `guerdon backup` has made: how old it is, and whether it is still there."""

from collections.abc import Iterator
from pathlib import Path

from app.backups.notes import read_note
from app.doctor.findings import Finding, say_ok, warn
from app.guerdon import Guerdon
from app.porch.text import format_time

ABOUT = "backup"
HOUR = 3_600_000  # ms
OLD = 26 * HOUR  # a daily one, and some time for it


def check_backup(guerdon: Guerdon) -> Iterator[Finding]:
    """On the host that made it; where other means are used, this does not know of them."""
    note = read_note(guerdon.config.path)
    if note is None:
        text = "`guerdon backup` has made none here"
        yield warn(
            ABOUT, text, "guerdon backup FILE   (each day, by a timer; keep it elsewhere too)"
        )
        return
    age = (guerdon.now() - note.at) // HOUR
    text = f"{note.file} of {format_time(note.at)}, {age} hours ago, {note.bytes:,} bytes"
    path = Path(note.file)
    if guerdon.now() - note.at > OLD:
        yield warn(
            ABOUT, text, f"guerdon backup FILE   (and find out why none came after {path.name})"
        )
    elif path.exists() and path.stat().st_size != note.bytes:
        remedy = f"guerdon restore-check {path}"
        yield warn(ABOUT, f"{path} is not as long as when it was made", remedy)
    else:
        yield say_ok(ABOUT, text)
