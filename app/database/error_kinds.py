"""What a database's error means: whether to run again, to wait, or to give up."""

from collections.abc import Iterator

from peewee import InterfaceError, OperationalError, PeeweeException
from playhouse.pool import MaxConnectionsExceeded

# MariaDB's error numbers (server 1xxx, client library 2xxx).
ROLLED_BACK = {1213, 1020}  # deadlock, a row changed meanwhile
LOCKED = {1205, 3572}  # lock wait, NOWAIT
LOST = {2006, 2013, 2014, 2055, 1927, 1053, 1152, 1153, 1158, 1159, 1160, 1161, 4031}
AWAY = {2002, 2003, 2005, 1040, 1129, 1130, 1203, 1226}
# Read-only since it is no primary any more, or cut off from its cluster.
DEMOTED = {1047, 1290, 1792, 1836}
DUPLICATE = {1062, 1586}
NUMBERS = {
    "rolled_back": ROLLED_BACK,
    "locked": LOCKED,
    "lost": LOST,
    "away": AWAY,
    "demoted": DEMOTED,
    "duplicate": DUPLICATE,
}


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


def classify_error(error: BaseException) -> str:
    """What a database error means for its unit.

    rolled_back  the whole unit may run again at once
    locked       somebody holds a row or the file, and held it as long as we waited
    lost, away   the connection is gone; there is none to be had
    demoted      this server takes no writes; another may by now
    duplicate    a unique key is there already
    refused      anything else
    """
    kinds = {classify_one(cause) for cause in list_causes(error)}
    for kind in ("rolled_back", "lost", "away", "demoted", "locked", "duplicate"):
        if kind in kinds:
            return kind
    return "refused"


def concerns_all(error: BaseException) -> bool:
    """Whether it is the fault of no single statement: the whole unit has to run again, or to wait."""
    return classify_error(error) in ("rolled_back", "lost", "away", "demoted", "locked")


def classify_one(error: BaseException) -> str:
    if isinstance(error, MaxConnectionsExceeded):
        return "away"
    if not isinstance(error, PeeweeException):
        return ""
    number = error.args[0] if error.args else None
    if isinstance(number, int):
        if isinstance(error, InterfaceError) and number == 0:
            return "lost"  # PyMySQL's word for a socket that is gone
        for kind, numbers in NUMBERS.items():
            if number in numbers:
                return kind
    text = str(number)
    if isinstance(error, OperationalError) and "is locked" in text:
        return "locked"
    if isinstance(error, OperationalError) and "unable to open" in text:
        return "away"
    if "UNIQUE constraint failed" in text:
        return "duplicate"
    if "Packet sequence number wrong" in text:
        return "lost"
    return ""
