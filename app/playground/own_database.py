"""The SQLite file that `guerdon run` pays into: one that it made itself, and no other."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.database.urls import make_private_file, make_private_folder
from app.porch.errors import GuerdonError

VARIABLE, NAME, USUAL_FOLDER = "GUERDON_PLAYGROUND_DATABASE", "playground.db", "var"
SQLITE = "sqlite:///"
MARK = 0x47504C59  # SQLite's application_id of a file that we made


def make_database(url: str) -> Path:
    """The playground's file, marked as such, made where there is none yet; `url` is the config's database.

    It lies beside that where that is a file. Raises GuerdonError for a file that `guerdon run` did not
    make: its players are not to play with.
    """
    beside = Path(url.removeprefix(SQLITE)).parent if url.startswith(SQLITE) else USUAL_FOLDER
    path = Path(os.environ.get(VARIABLE) or Path(beside) / NAME).absolute()
    try:
        make_private_folder(path.parent)
        make_private_file(str(path))
        is_new = path.stat().st_size == 0
        with closing(sqlite3.connect(path)) as connection:
            if is_new:
                connection.execute(f"PRAGMA application_id = {MARK}")
            [mark] = connection.execute("PRAGMA application_id").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise GuerdonError(f"{path} cannot be opened ({error}); see {VARIABLE}") from None
    if mark != MARK:
        raise GuerdonError(
            f"{path} is not a database that `guerdon run` made, and it works on no other:"
            f" move it away, or name another file in {VARIABLE}"
        )
    return path
