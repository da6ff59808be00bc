"""Pages of rows, the newest first: each says where the next begins, and none looks through more than it may.

What has no index is looked through in stretches of ids, so that a page takes as long at two million rows as
at twenty thousand; where it ends before it is full, it says so, and one goes on from there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.database.opening import Database
from app.database.windows import SLACK, find_ends, find_first_row
from app.history.qualifiers import BadFilter
from app.porch.text import shorten

Row = TypeVar("Row")
LOOK_THROUGH = 20_000  # rows of a page; some 20 ms where a server has them in memory
AT_ONCE = 200  # rows of one statement that are told by their ids
HIGHEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`rows`, and `next`: what to give as `before` for the page after it; None where there is none.

    `is_cut`: it ended early, because it had looked through as many rows as a page may; so it may have
    few rows, or none, though there are more.
    """

    rows: tuple[Row, ...]
    next: str | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows as the database has them, and before which id to go on; None: there are no more."""

    rows: list[Any]
    next: int | None = None
    is_cut: bool = False


class Conditions:
    """What is wanted of rows, as SQL with its parameters."""

    def __init__(self, database: Database) -> None:
        self._mark = database.param
        self._said: list[str] = []
        self.params: list[Any] = []

    def add(self, column: str, sign: str, value: Any) -> "Conditions":
        """Where `value` says something: that `column` is so to it."""
        if value not in (None, ""):
            self._said.append(f"{column} {sign} {self._mark}")
            self.params.append(value)
        return self

    def among(self, column: str, values: Sequence[Any]) -> "Conditions":
        """That `column` is one of these."""
        self._said.append(f"{column} IN ({', '.join([self._mark] * len(values))})")
        self.params += values
        return self

    def within(self, column: str, since: int | None, until: int | None) -> "Conditions":
        """That `column` is a time of this span (ms)."""
        return self.add(column, ">=", since).add(column, "<", until)

    def __str__(self) -> str:
        return " AND ".join(self._said)

    def __bool__(self) -> bool:
        return bool(self._said)


def walk_ids(
    database: Database,
    select: str,
    ids: Sequence[int],
    wanted: Conditions,
    matches: Callable[[Any], bool],
    limit: int,
    most: int,
) -> Stretch:
    """The first `limit` rows that are wanted and match, of these ids, the newest first.

    `select` begins the statement, and the id is its first column. There are up to `most` ids, and one
    more where these are not all.
    """
    found: list[Any] = []
    for start in range(0, min(len(ids), most), AT_ONCE):
        some = ids[start : min(start + AT_ONCE, most)]
        where = Conditions(database).among("id", some)
        narrower = f" AND {wanted}" if wanted else ""
        sql = f"{select} WHERE {where}{narrower} ORDER BY id DESC"
        rows = database.execute_sql(sql, [*where.params, *wanted.params]).fetchall()
        for row in filter(matches, rows):
            if len(found) == limit:
                return Stretch(found, found[-1][0])
            found.append(row)
    is_cut = len(ids) > most
    return Stretch(found, ids[most - 1] if is_cut else None, is_cut)


def list_open_ids(
    database: Database, table: str, wanted: Conditions, before: int, most: int
) -> list[int]:
    """The ids of rows in some states, and below `before`, the highest first; `most` and one more.

    Told so, the database goes by the index of states, and not by the key through all that is finished.
    """
    sql = (
        f"SELECT id FROM {table} WHERE {wanted} AND id + 0 < {database.param}"
        f" ORDER BY id + 0 DESC LIMIT {most + 1}"
    )
    rows: Iterable[Any] = database.execute_sql(sql, [*wanted.params, before]).fetchall()
    return [row[0] for row in rows]


def read_stretch(
    database: Database,
    select: str,
    table: str,
    time: str,
    wanted: Conditions,
    span: tuple[int | None, int | None],
    before: int,
    limit: int,
    most: int,
) -> Stretch:
    """The newest rows that are wanted, below `before`, of a table that is near in the order of `time`.

    `span` is since when and until when (ms) they are; up to `most` ids are looked through.
    """
    low, high = find_bounds(database, table, time, span)
    before = min(before, high + 1)
    begin = max(low, before - most)
    if begin >= before:
        return Stretch([])
    mark = database.param
    where = f"id >= {mark} AND id < {mark}" + (f" AND {wanted}" if wanted else "")
    sql = f"{select} WHERE {where} ORDER BY id DESC LIMIT {limit + 1}"
    rows = list(database.execute_sql(sql, [begin, before, *wanted.params]).fetchall())
    if len(rows) > limit:
        return Stretch(rows[:limit], rows[limit - 1][0])
    return Stretch(rows, begin if begin > low else None, begin > low)


def find_bounds(
    database: Database, table: str, time: str, span: tuple[int | None, int | None]
) -> tuple[int, int]:
    """The lowest and the highest id that a row of this span can have."""
    since, until = span
    low, high = find_ends(database, table)
    if low is None or high is None:
        return 1, 0
    if since is not None:
        low = max(low, find_first_row(database, since, table, time))
    if until is not None:
        high = min(high, find_first_row(database, until, table, time) + 2 * SLACK)
    return low, high


def read_number(before: str | None) -> int:
    """The id before which a page begins."""
    if before is None:
        return HIGHEST
    is_number = before.isascii() and before.isdigit() and len(before) <= 19
    if not is_number or int(before) > HIGHEST:
        raise BadFilter(
            f"before: {shorten(before)} is no place in this list: take `next` of a page"
        )
    return int(before)
