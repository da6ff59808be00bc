"""Why a database cannot be reached or used, in words for whoever runs Guerdon: no address, no password."""

from collections.abc import Iterator

from peewee import PeeweeException

from app.database.complaints import name_reason
from app.database.error_kinds import list_causes

NOT_THERE = (1054, 1146)  # a column, a table
# MariaDB's and MySQL's error numbers; a driver's own begin with 2.
SENTENCES = {
    1040: "it has as many connections as it takes (max_connections)",
    1044: "its user has no rights on this database: GRANT them",
    1045: "it refuses this user or password",
    1047: "this node is cut off from the majority of its cluster, or has not joined yet",
    1049: "there is no database of this name: create it, or mend the name",
    1129: "it blocks this host after too many failed connections (FLUSH HOSTS there)",
    1130: "its user may not connect from this host",
    1203: "its user has as many connections as it may (max_user_connections)",
    1226: "its user has as many connections as it may (max_user_connections)",
    1698: "it refuses this user or password",
    2002: "no connection to it can be made",
    2003: "no connection to it can be made",
    2005: "its host is not known",
    2006: "the connection was lost",
    2013: "the connection was lost",
    2055: "the connection was lost",
    2059: "it wants a way of signing in that the driver does not know",
    3118: "its user is locked",
}
CONNECTING = (  # what the driver says of a connection that it cannot make
    ("refused", "nobody listens at its host and port"),
    ("timed out", "its host does not answer"),
    ("Name or service not known", "its host is not known"),
    ("No address associated", "its host is not known"),
    ("Temporary failure in name resolution", "its host is not known"),
    ("unreachable", "there is no way to its host"),
    ("No route to host", "there is no way to its host"),
)
SQLITE = (
    ("unable to open database file", "its file cannot be opened: is its folder there, and ours?"),
    ("is locked", "somebody holds its file"),
    ("not a database", "its file is no SQLite database"),
)


def explain_database_error(error: Exception) -> str:
    """A sentence, and the number if it has one; the error's own name where we know no words for it."""
    causes = [cause for cause in list_causes(error) if isinstance(cause, PeeweeException)]
    if any(map(lacks_something, causes)):
        return f"the tables are not up to date ({name_reason(error)}): run `guerdon migrate`"
    for sentence in filter(None, map(find_sentence, causes)):
        return sentence
    return name_reason(error) or " ".join([type(error).__name__, *list_numbers(causes[:1])])


def lacks_something(error: PeeweeException) -> bool:
    """Whether a table or a column was not found: they are older than we are, or not made yet."""
    number = error.args[0] if error.args else ""
    told = str(number).startswith(("no such table: ", "no such column: "))
    return number in NOT_THERE or told or "has no column named" in str(number)


def explain_cause(error: Exception) -> str:
    """As explain_database_error, of the database error behind another of ours; "" where there is none."""
    found = any(isinstance(one, PeeweeException) for one in list_causes(error))
    return explain_database_error(error) if found else ""


def find_sentence(error: BaseException) -> str:
    number, text = (*error.args, "", "")[:2]
    if not isinstance(number, int):
        return next((words for part, words in SQLITE if part in str(number)), "")
    words = SENTENCES.get(number, "")
    if number in (2002, 2003):
        words = next((better for part, better in CONNECTING if part in str(text)), words)
    return f"{words} ({number})" if words else ""


def list_numbers(errors: list[PeeweeException]) -> Iterator[str]:
    for error in errors:
        if error.args and isinstance(error.args[0], int):
            yield str(error.args[0])
