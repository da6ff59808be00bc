"""Why a database refused a statement, in words fit for whoever sent the event: columns, never values."""

import re
from collections.abc import Callable
from typing import Any

from app.database.error_kinds import list_causes

# MariaDB's and MySQL's error numbers: what is wrong with a column, and with more than one.
MISFITS = {
    1264: "has no room for the new value: it is out of range",
    1690: "has no room for the new value: it is out of range",
    1406: "has no room for the new value: it is too long",
    1265: "cannot hold the new value",
    1292: "cannot hold the new value",
    1366: "cannot hold the new value",
    1048: "must have a value and was given none",
    1364: "must have a value and was given none",
    1906: "is generated and cannot be written",
    3105: "is generated and cannot be written",
    1054: "is not there",
    1143: "may not be written by our database user",
}
CONDITIONS = (3819, 4025)
OTHERS = {
    **dict.fromkeys((1216, 1217, 1451, 1452), "a foreign key does not hold"),
    **dict.fromkeys((1044, 1142, 1227, 1370), "our database user may not do that"),
    **dict.fromkeys((1021, 1041, 1114), "no room is left"),
    **dict.fromkeys((1290, 1792, 1836), "it is read-only"),
    1146: "a table is not there",
    1644: "a trigger does not allow it",
}
SQLITE = (  # what its messages begin with
    ("CHECK constraint failed: ", "the condition {} does not hold"),
    ("NOT NULL constraint failed: ", "{} must have a value and was given none"),
    ("FOREIGN KEY constraint failed", "a foreign key does not hold"),
    ("no such column: ", "{} is not there"),
    ("no such table: ", "the table {} is not there"),
    ("cannot UPDATE generated column ", "{} is generated and cannot be written"),
    ("user-defined function raised exception",
     "a balance is no number, or its sum has more digits than SQLite keeps exactly"),
    ("string or blob too big", "a value is too long"),
    ("database or disk is full", "no room is left"),
    ("attempt to write a readonly database", "it is read-only"),
    ("disk I/O error", "its disk fails"),
    ("database disk image is malformed", "its file is damaged"),
)  # fmt: skip
NAMES = re.compile(r"`([^`]*)`\.`([^`]*)`\.`([^`]*)`|(?:column|Field) '(?:\w+\.)?([^']*)'", re.I)
TARGET = re.compile(r"\s*(?:INSERT INTO|REPLACE INTO|UPDATE)\s+[`\"]?(\w+)", re.IGNORECASE)
WITHIN = re.compile(r" in table ['`]([^'`]*)")
CONDITION = re.compile(r"(?:CONSTRAINT `|Check constraint ')([^`']*)", re.IGNORECASE)
LONGEST_NAME = 64  # characters


def keep_statement(error: Exception, sql: str) -> None:
    """Note which statement was refused: the error itself often names no table. No values are in it."""
    vars(error).setdefault("statement", sql[:200])


def keep_column_type(error: Exception, describe: Callable[[str, str], str]) -> None:
    """Note what the column at fault holds, as `describe(table, column)` tells; "" where it cannot."""
    table, column = find_column(error)
    if table and column and find_number(error)[0] in MISFITS:
        vars(error)["column_type"] = describe(table, column)


def explain_refusal(error: Exception) -> str:
    """A sentence that says which column was too small, or what else the database would not do."""
    reason = name_reason(error) or f"{type(error).__name__}"
    return f"the database refused it: {reason}"


def name_reason(error: Exception) -> str:
    """What a database would not do, with the columns it concerns; "" for what we do not know."""
    number, text = find_number(error)
    if number in MISFITS:
        table, column = find_column(error)
        kind = vars(error).get("column_type", "")
        place = ".".join(filter(None, (table, column))) or "a column"
        return f"{place}{f' ({show(kind)})' if kind else ''} {MISFITS[number]}"
    if number in CONDITIONS:
        named = CONDITION.search(text)
        return f"the condition {show(named[1]) if named else 'of a table'} does not hold"
    if number is None:
        for begins, words in SQLITE:
            if text.startswith(begins):
                return words.format(show(text.removeprefix(begins)))
    return OTHERS.get(number or 0, "")


def name_reason_briefly(error: Exception) -> str:
    """As name_reason, but without a name of anything: for whoever may know nothing of our tables."""
    number, text = find_number(error)
    briefly = {1143: OTHERS[1142]} | OTHERS
    known = [words for begins, words in SQLITE if number is None and text.startswith(begins)]
    words = briefly.get(number or 0) or next(iter(known), "")
    return words if words and "{" not in words else "it refuses to write"


def find_number(error: Exception) -> tuple[int | None, str]:
    """The server's error number, None for SQLite's, and its message."""
    for cause in list_causes(error):
        if len(cause.args) > 1 and isinstance(cause.args[0], int):
            return cause.args[0], str(cause.args[1])
    return None, str(error)


def find_column(error: Exception) -> tuple[str, str]:
    """The table and column at fault, by the message and by the statement; "" for what is not told."""
    _, text = find_number(error)
    named = NAMES.search(text)
    target = TARGET.match(vars(error).get("statement", ""))
    table = named[2] if named and named[2] else target[1] if target else ""
    if not table and (within := WITHIN.search(text)):
        table = within[1]
    column = (named[3] or named[4] or "") if named else ""
    return show(table), show(column)


def show(name: Any) -> str:
    """A name from the database's own words, fit for a line."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 3] + "..."
