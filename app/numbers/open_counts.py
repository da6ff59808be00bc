"""What is open: counted by its states' indexes, so that what is finished is never read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.database.opening import Database
from app.database.states import CLAIMS_OPEN, ON_THEIR_WAY, BoxState

NOT_FINISHED = (*ON_THEIR_WAY, BoxState.DEAD)


@dataclass(frozen=True, slots=True)
class OpenCount:
    """Rows of one state, and since when (ms) the oldest of them waits."""

    state: str
    number: int
    oldest: int | None
    of: str = ""  # the reporter, or the server


@dataclass(frozen=True, slots=True)
class Open:
    """What waits, is under way, or is dead: ready, leased and dead, as the boxes have it.

    Where there is nothing of a state there is no row. Events wait since they came, or since a person
    or their source sent them again; reports and claims since they were made.
    """

    inbox: tuple[OpenCount, ...]
    reports: tuple[OpenCount, ...]  # `of` a reporter
    claims: tuple[OpenCount, ...]  # `of` a server; none is ever dead

    def count(self, box: str, *states: str) -> int:
        """How many rows of "inbox", "reports" or "claims" have one of these states."""
        return sum(one.number for one in getattr(self, box) if one.state in states)

    def find_oldest(self, box: str, *states: str) -> int | None:
        """Since when (ms) the oldest of them waits; None where there is none."""
        times = [one.oldest for one in getattr(self, box) if one.state in states]
        return min((time for time in times if time is not None), default=None)


def count_open(database: Database) -> Open:
    """Count what is open now, on the connection of this thread. It takes as long as there are open rows."""
    return Open(
        tuple(count_box(database, "guerdon_inbox", "''", "waiting_since", NOT_FINISHED)),
        tuple(count_box(database, "guerdon_reports", "reporter", "created_at", NOT_FINISHED)),
        count_claims(database),
    )


def count_claims(database: Database) -> tuple[OpenCount, ...]:
    """The claims that are open now, by state and server."""
    return tuple(count_box(database, "guerdon_claims", "server_id", "created_at", CLAIMS_OPEN))


def count_box(
    database: Database, table: str, of: str, time: str, states: tuple[str, ...]
) -> Iterator[OpenCount]:
    marks = ", ".join([database.param] * len(states))
    sql = (
        f"SELECT state, {of}, COUNT(*), MIN({time}) FROM {table} WHERE state IN ({marks})"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    rows: Any = database.execute_sql(sql, [str(state) for state in states]).fetchall()
    for state, name, number, oldest in rows:
        yield OpenCount(state, int(number), oldest, name)
