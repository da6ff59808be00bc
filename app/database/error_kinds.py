"""What our database's error means: whether to run again, to wait, or to give up.

A plugin may have a database of its own: that one's errors look the same, and mean nothing here.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import wraps
from sqlite3 import (
    SQLITE_BUSY,
    SQLITE_CANTOPEN,
    SQLITE_CONSTRAINT_PRIMARYKEY,
    SQLITE_CONSTRAINT_ROWID,
    SQLITE_CONSTRAINT_UNIQUE,
    SQLITE_LOCKED,
)
from typing import Any

from peewee import InterfaceError, PeeweeException


class ErrorKind(StrEnum):
    """What a database error means for its unit."""

    ROLLED_BACK = "rolled_back"  # the whole unit may run again at once
    LOST = "lost"  # the connection is gone
    AWAY = "away"  # there is none to be had
    DEMOTED = "demoted"  # this server takes no writes; another may by now
    LOCKED = "locked"  # somebody holds a row or the file, and held it as long as we waited
    DUPLICATE = "duplicate"  # a unique key is there already
    REFUSED = "refused"  # anything else


LOST_CONNECTION = (ErrorKind.LOST, ErrorKind.AWAY, ErrorKind.DEMOTED)
CONCERN_ALL = (ErrorKind.ROLLED_BACK, *LOST_CONNECTION, ErrorKind.LOCKED)
# MariaDB's error numbers (server 1xxx, client library 2xxx).
ROLLED_BACK = {1213, 1020}  # deadlock, a row changed meanwhile
LOCKED = {1205, 3572}  # lock wait, NOWAIT
LOST = {2006, 2013, 2014, 2055, 1927, 1053, 1152, 1153, 1158, 1159, 1160, 1161, 4031}
AWAY = {2002, 2003, 2005, 1040, 1129, 1130, 1203, 1226}
# Read-only since it is no primary any more, or cut off from its cluster.
DEMOTED = {1047, 1290, 1792, 1836}
DUPLICATE = {1062, 1586}
NUMBERS = {
    ErrorKind.ROLLED_BACK: ROLLED_BACK,
    ErrorKind.LOCKED: LOCKED,
    ErrorKind.LOST: LOST,
    ErrorKind.AWAY: AWAY,
    ErrorKind.DEMOTED: DEMOTED,
    ErrorKind.DUPLICATE: DUPLICATE,
}
SQLITE = {
    SQLITE_BUSY: ErrorKind.LOCKED,
    SQLITE_LOCKED: ErrorKind.LOCKED,
    SQLITE_CANTOPEN: ErrorKind.AWAY,
    SQLITE_CONSTRAINT_UNIQUE: ErrorKind.DUPLICATE,
    SQLITE_CONSTRAINT_PRIMARYKEY: ErrorKind.DUPLICATE,
    SQLITE_CONSTRAINT_ROWID: ErrorKind.DUPLICATE,
}
IS_OURS = "is_of_guerdons_database"
PRIMARY = 0xFF  # the bits of SQLite's code that say what, not why


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything it was raised from or during: a nested block hides a deadlock there."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__context__, current.__cause__]


def own_error(error: BaseException) -> None:
    """Note that it is our database's. What was handled just then, as another database's error, is not its."""
    disown_error(error)
    vars(error)[IS_OURS] = True


def disown_error(error: BaseException) -> None:
    """It came out of a plugin: what our database has not said of what it was raised from, another has."""
    for cause in list_causes(error):
        if isinstance(cause, PeeweeException):
            vars(cause).setdefault(IS_OURS, False)


def owning(act: Callable[..., Any]) -> Callable[..., Any]:
    """Have what a method raises be known as our database's word."""

    @wraps(act)
    def act_and_own(*args: Any, **kwargs: Any) -> Any:
        try:
            return act(*args, **kwargs)
        except PeeweeException as error:
            own_error(error)
            raise

    return act_and_own


def is_own_error(error: BaseException) -> bool:
    """Whether our database has said just this, as far as is known."""
    return isinstance(error, PeeweeException) and bool(vars(error).get(IS_OURS, True))


def classify_error(error: BaseException) -> ErrorKind:
    """What it means, whatever it was raised from or during: of several kinds the gravest."""
    kinds = {classify_one(cause) for cause in list_causes(error)}
    return next(kind for kind in ErrorKind if kind in kinds or kind is ErrorKind.REFUSED)


def concerns_all(error: BaseException) -> bool:
    """Whether it is the fault of no single statement: the whole unit has to run again, or to wait."""
    return classify_error(error) in CONCERN_ALL


def classify_one(error: BaseException) -> ErrorKind | None:
    if not is_own_error(error):
        return None
    number = error.args[0] if error.args else None
    if isinstance(number, int):
        if isinstance(error, InterfaceError) and number == 0:
            return ErrorKind.LOST  # PyMySQL's word for a socket that is gone
        for kind, numbers in NUMBERS.items():
            if number in numbers:
                return kind
    if "Packet sequence number wrong" in str(number):
        return ErrorKind.LOST
    return classify_sqlite(getattr(error.__context__, "sqlite_errorcode", 0))


def classify_sqlite(code: int) -> ErrorKind | None:
    """By the code of sqlite3's own error, from which Peewee's was raised."""
    return SQLITE.get(code) or SQLITE.get(code & PRIMARY)
