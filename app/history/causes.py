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


@dataclass(frozen=True, slots=True)
class Same:
    """Open rows of one source, or reporter, with one and the same error, as Cause has them."""

    of: str
    error: str
    count: int
    oldest: int
    newest: int
    ceiling: int


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
        for box, state, (some, are_all) in read_piles(database, most_read):
            read += sum(one.count for one in some)
            is_whole &= are_all
            for one in some:
                add_same(gathered, box, state, one)
    causes = [make_cause(*key, one) for key, one in gathered.items()]
    causes.sort(key=lambda one: (-one.dead, -one.count, one.oldest))
    return Causes(tuple(causes[:most_causes]), read, is_whole, max(0, len(causes) - most_causes))


def read_piles(database: Database, most: int) -> Iterator[tuple[str, str, tuple[list[Same], bool]]]:
    """Each pile with its box and state: what read_same gives of it."""
    mark = database.param
    for state in OPEN_STATES:
        where, columns = f"state = {mark}", ("source", "received_at")
        yield EVENTS, state, read_same(database, "guerdon_inbox", columns, where, (state,), most)
    for state in OPEN_STATES:
        for reporter in list_reporters(database, state):
            where, columns = f"state = {mark} AND reporter = {mark}", ("reporter", "created_at")
            params = (state, reporter)
            yield (
                REPORTS,
                state,
                read_same(database, "guerdon_reports", columns, where, params, most),
            )


def read_same(
    database: Database, table: str, columns: tuple[str, str], where: str, params: tuple[str, ...],
    most: int,
) -> tuple[list[Same], bool]:  # fmt: skip
    """Up to `most` rows that have a state, the database having put those of one error together.

    And whether these are all. A pile is measured first, in its index: a part of it has to be copied.
    """
    of, time = columns
    sql = f"SELECT COUNT(*) FROM (SELECT id FROM {table} WHERE {where} LIMIT {most + 1}) AS pile"
    is_whole = database.execute_sql(sql, params).fetchone()[0] <= most
    pile = f"{table} WHERE {where}"
    if not is_whole:
        pile = f"(SELECT id, {of}, last_error, {time} FROM {pile} LIMIT {most}) AS pile"
    sql = (
        f"SELECT {of}, last_error, COUNT(*), MIN({time}), MAX({time}), MAX(id) FROM {pile}"
        f" GROUP BY {of}, last_error"
    )
    return [Same(*row) for row in database.execute_sql(sql, params).fetchall()], is_whole


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


def add_same(
    gathered: dict[tuple[str, str, str], Gathering], box: str, state: str, some: Same
) -> None:
    key = box, some.of, make_fingerprint(some.error)
    one = gathered.get(key)
    if one is None:
        one = gathered[key] = Gathering(some.error, some.oldest)
    one.oldest, one.newest = min(one.oldest, some.oldest), max(one.newest, some.newest)
    one.ceiling = max(one.ceiling, some.ceiling)
    if state == BoxState.DEAD:
        one.dead += some.count
    else:
        one.waiting += some.count


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
