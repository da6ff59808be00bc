"""Sessions that somebody has ended: a copy of their cookie is worth nothing from then on."""

from app.counting.marks import delete_marks, read_mark, set_mark
from app.guerdon import Guerdon

MARK = "dashboard session "  # and its id; the value says when it was ended, in ms


def end_session(guerdon: Guerdon, id: str, lasts: int) -> None:
    """Note that this session is over, and forget those that ended by themselves, after `lasts` ms."""
    database, now = guerdon.database, guerdon.now()

    def note() -> None:
        delete_marks(database, MARK, f"{now - lasts:020}")
        set_mark(database, MARK + id, f"{now:020}")

    database.transact(lambda is_retry: note())


def is_ended(guerdon: Guerdon, id: str) -> bool:
    database = guerdon.database
    return database.read(lambda: read_mark(database, MARK + id)) is not None
