"""The database's side: what is open, how long the oldest of it waits, when something was last settled.

Only what is open is counted, by its index. Rows are numbered as they come, so the oldest is the one of the
smallest id.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.metrics import families
from app.metrics.exposition import Sample
from app.porch.claims import ClaimState

SHOWN = {BoxState.READY: "waiting", BoxState.LEASED: "leased", BoxState.DEAD: "dead"}
CLAIMS_SHOWN = {
    ClaimState.READY: "waiting", ClaimState.LEASED: "leased", ClaimState.SENDING: "sending",
    ClaimState.WAITS: "away", ClaimState.REFUSED: "refused", ClaimState.UNKNOWN: "unknown",
}  # fmt: skip
UNFINISHED = (*ON_THEIR_WAY, BoxState.DEAD)
LATEST = 10_000  # events looked at for when a source was last settled


def quote_states(states: Sequence[str]) -> str:
    return ", ".join(f"'{state}'" for state in states)


def look_at_boxes(database: Database, reporters: Sequence[str]) -> Iterator[Sample]:
    """What inbox, reports and claims hold that is not done; `reporters` are shown with 0 too."""
    yield from look_at_inbox(database)
    yield from look_at_reports(database, reporters)
    yield from look_at_claims(database)


def look_at_inbox(database: Database) -> Iterator[Sample]:
    sql = (
        "SELECT state, COUNT(*), MIN(id) FROM guerdon_inbox"
        f" WHERE state IN ({quote_states(UNFINISHED)}) GROUP BY state"
    )
    found = {state: (number, id_) for state, number, id_ in ask(database, sql)}
    for state, shown in SHOWN.items():
        yield Sample(families.INBOX, (shown,), found.get(state, (0, 0))[0])
    ids = [found[state][1] for state in ON_THEIR_WAY if state in found]
    times = read_times(database, "guerdon_inbox", "received_at", ids)
    if times:
        yield Sample(families.INBOX_OLDEST, (), min(times.values()) / 1000)


def look_at_reports(database: Database, reporters: Sequence[str]) -> Iterator[Sample]:
    sql = (
        "SELECT state, reporter, COUNT(*), MIN(id) FROM guerdon_reports"
        f" WHERE state IN ({quote_states(UNFINISHED)}) GROUP BY state, reporter"
    )
    found = {
        (reporter, state): (number, id_) for state, reporter, number, id_ in ask(database, sql)
    }
    names = dict.fromkeys([*reporters, *(reporter for reporter, _ in found)])
    times = read_times(
        database, "guerdon_reports", "created_at", [id_ for _, id_ in found.values()]
    )
    for name in names:
        for state, shown in SHOWN.items():
            yield Sample(families.REPORTS, (name, shown), found.get((name, state), (0, 0))[0])
        waiting = [found[name, state][1] for state in ON_THEIR_WAY if (name, state) in found]
        if since := [times[id_] for id_ in waiting if id_ in times]:
            yield Sample(families.REPORTS_OLDEST, (name,), min(since) / 1000)


def look_at_claims(database: Database) -> Iterator[Sample]:
    sql = (
        "SELECT state, COUNT(*), MIN(id) FROM guerdon_claims"
        f" WHERE state IN ({quote_states(tuple(CLAIMS_SHOWN))}) GROUP BY state"
    )
    found = {state: (number, id_) for state, number, id_ in ask(database, sql)}
    for state, shown in CLAIMS_SHOWN.items():
        yield Sample(families.CLAIMS, (shown,), found.get(state, (0, 0))[0])
    ids = [found[state][1] for state in ON_THEIR_WAY if state in found]
    if times := read_times(database, "guerdon_claims", "created_at", ids):
        yield Sample(families.CLAIMS_OLDEST, (), min(times.values()) / 1000)


def read_times(database: Database, table: str, column: str, ids: Sequence[int]) -> dict[int, int]:
    """A time (ms) of each of these rows that is still there."""
    if not ids:
        return {}
    marks = ", ".join([database.param] * len(ids))
    return dict(ask(database, f"SELECT id, {column} FROM {table} WHERE id IN ({marks})", *ids))


def ask(database: Database, sql: str, *params: Any) -> list[Any]:
    return list(database.execute_sql(sql, params).fetchall())


class LastSettled:
    """When each source was last settled: it goes on from where it looked last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = 0  # the largest id
        self._times: dict[str, int] = {}

    def look(self) -> Iterator[Sample]:
        """Of the sources that were settled since this process looked first, or shortly before."""
        newest = ask(self._database, "SELECT MAX(id) FROM guerdon_events")[0][0] or 0
        if newest > self._seen:
            start, mark = max(self._seen, newest - LATEST), self._database.param
            sql = (
                f"SELECT source, MAX(settled_at) FROM guerdon_events WHERE id > {mark} AND id <= {mark}"
                " GROUP BY source"
            )
            self._times.update(dict(ask(self._database, sql, start, newest)))
            self._seen = newest
        for source, time in self._times.items():
            yield Sample(families.LAST_SETTLED, (source,), time / 1000)
