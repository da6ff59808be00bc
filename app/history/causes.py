"""Trouble by its cause: all that waits or is dead, grouped by what its last error says.

Only open rows are read, and of a pile so large that nobody looks at its rows, a part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history.filters import EventFilter, ReportFilter
from app.history.fingerprints import make_fingerprint, name_cause
from app.porch.text import format_time

MOST_READ = 20_000  # rows of one state, of reports of one reporter too
MOST_CAUSES = 200  # a stranger's words may make as many as he likes
OPEN_STATES = (*ON_THEIR_WAY, BoxState.DEAD)
EVENTS, REPORTS = "events", "reports"


@dataclass(frozen=True, slots=True)
class Cause:
    """Open rows of one source, or reporter, whose errors say the same.

    `filter` means exactly these rows, and those that come later; `ceiling` is the highest id of now.
    `oldest` and `newest` are when they came, or were queued (ms). What `words` and `example` say may be a
    stranger's.
    """

    box: str  # events or reports
    of: str  # the source, or the reporter
    words: str  # the error without what differs; "" where there was no try yet
    waiting: int
    dead: int
    oldest: int
    newest: int
    example: str
    ceiling: int
    filter: EventFilter | ReportFilter

    @property
    def count(self) -> int:
        """How many rows, waiting and dead."""
        return self.waiting + self.dead

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "box": self.box, "of": self.of, "words": self.words, "count": self.count,
            "waiting": self.waiting, "dead": self.dead, "oldest": format_time(self.oldest),
            "newest": format_time(self.newest), "example": self.example, "ceiling": self.ceiling,
            "filter": str(self.filter),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Causes:
    """Those with most dead rows first, then with most rows.

    `left_out`: how many causes more there are. Not `is_whole`: of some pile only a part was read, so
    that counts are of `read` rows, and more are open.
    """

    all: tuple[Cause, ...]
    read: int
    is_whole: bool
    left_out: int = 0

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "causes": [one.describe() for one in self.all], "read": self.read,
            "is_whole": self.is_whole, "left_out": self.left_out,
        }  # fmt: skip


@dataclass(slots=True)
class Gathering:
    """A cause on the way."""

    example: str
    oldest: int
    newest: int = 0
    waiting: int = 0
    dead: int = 0
    ceiling: int = 0


def list_causes(
    database: Database, most_read: int = MOST_READ, most_causes: int = MOST_CAUSES
) -> Causes:
    """What keeps open events and reports open, on the connection of this thread or one of its own."""
    gathered: dict[tuple[str, str, str], Gathering] = {}
    read, is_whole = 0, True
    with database.connection_context():
        for box, state, rows in read_piles(database, most_read):
            is_whole &= len(rows) <= most_read
            read += min(len(rows), most_read)
            for row in rows[:most_read]:
                add_row(gathered, box, state, *row)
    causes = [make_cause(*key, one) for key, one in gathered.items()]
    causes.sort(key=lambda one: (-one.dead, -one.count, one.oldest))
    return Causes(tuple(causes[:most_causes]), read, is_whole, max(0, len(causes) - most_causes))


def read_piles(database: Database, most: int) -> Iterator[tuple[str, str, list[Any]]]:
    """Each pile with its box and state: id, source or reporter, error and time of `most` rows and one."""
    mark = database.param
    columns = "id, source, last_error, received_at"
    for state in OPEN_STATES:
        sql = f"SELECT {columns} FROM guerdon_inbox WHERE state = {mark} LIMIT {most + 1}"
        yield EVENTS, state, database.execute_sql(sql, (state,)).fetchall()
    columns = "id, reporter, last_error, created_at"
    for state in OPEN_STATES:
        for reporter in list_reporters(database, state):
            sql = (
                f"SELECT {columns} FROM guerdon_reports WHERE state = {mark} AND reporter = {mark}"
                f" LIMIT {most + 1}"
            )
            yield REPORTS, state, database.execute_sql(sql, (state, reporter)).fetchall()


def list_reporters(database: Database, state: str) -> Iterator[str]:
    """The reporters that have reports in this state: one step along the index for each."""
    mark, name = database.param, ""
    step = (
        f"SELECT reporter FROM guerdon_reports WHERE state = {mark} AND reporter > {mark}"
        " ORDER BY reporter LIMIT 1"
    )
    while row := database.execute_sql(step, (state, name)).fetchone():
        name = row[0]
        yield name


def add_row(
    gathered: dict[tuple[str, str, str], Gathering],
    box: str, state: str, id: int, of: str, error: str, time: int,
) -> None:  # fmt: skip
    key = box, of, make_fingerprint(error)
    one = gathered.get(key)
    if one is None:
        one = gathered[key] = Gathering(error, time)
    one.oldest, one.newest = min(one.oldest, time), max(one.newest, time)
    one.ceiling = max(one.ceiling, id)
    if state == BoxState.DEAD:
        one.dead += 1
    else:
        one.waiting += 1


def make_cause(box: str, of: str, words: str, one: Gathering) -> Cause:
    name = name_cause(of, one.example)
    chosen = (
        EventFilter(source=of, cause=name)
        if box == EVENTS
        else ReportFilter(reporter=of, cause=name)
    )
    return Cause(
        box, of, words, one.waiting, one.dead, one.oldest, one.newest, one.example, one.ceiling,
        chosen,
    )  # fmt: skip
