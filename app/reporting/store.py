"""Leases reports and notes that their sends begin, in one commit, before any byte leaves.

So a kill never adds a send: the next one is due as if this one had failed. And a send without an end
tells that nobody knows whether it arrived.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.database.leases import NO_ENDS, SLACK, take_leases
from app.database.models import Report, Send
from app.database.opening import Database
from app.database.states import BoxState
from app.failpoints import reach
from app.porch.types import Schedule
from app.reporting.schedule import choose_pause

LEASE_LENGTH = 45_000  # ms; a third of it to begin in, the rest for the send itself
KILLER = {"last_error": "taken 20 times and never finished: it seems to end whoever sends it"}
CUT_OFF = {"state": BoxState.DEAD, "last_error": "its last send was cut off: nobody knows its end"}
BEGIN = (
    "UPDATE guerdon_reports SET waiting_since = CASE WHEN due_at > waiting_since"
    " THEN ? - (due_at - waiting_since) ELSE ? END, sends = ?, due_at = ? WHERE id IN "
)


@dataclass(slots=True)
class LeasedReport:
    """A report that is ours to send until `lease_until` (ms)."""

    id: int
    reporter: str
    kind: str
    key: str
    body: bytes
    sends: int  # this one included
    sends_before: int
    lease_token: str
    lease_until: int
    waited: (
        int  # ms that its sends have been waited for; what came after each due time does not count
    )
    created_at: int
    began: int = 0  # ms, by the clock that is never set


def list_due_reporters(database: Database, now: int) -> set[str]:
    """The reporters that have something to send, or to take over."""
    return database.read(lambda: set(find_due(database, now)))


def find_due(database: Database, now: int) -> Iterator[str]:
    """One step along the index for each reporter, however many reports it has."""
    mark, name = database.param, ""
    step = (
        f"SELECT reporter, due_at FROM guerdon_reports WHERE state = '{BoxState.READY}' AND reporter > "
        f"{mark} ORDER BY reporter, due_at LIMIT 1"
    )
    while row := database.execute_sql(step, (name,)).fetchone():
        name, due_at = row
        if due_at <= now:
            yield name
    astray = (
        (BoxState.LEASED, "<", now),
        (BoxState.LEASED, ">", now + LEASE_LENGTH + SLACK),
        (BoxState.READY, ">", now + SLACK),
    )
    for state, sign, end in astray:
        sql = (
            f"SELECT DISTINCT reporter FROM guerdon_reports WHERE state = '{state}'"
            f" AND lease_until {sign} {mark}"
        )
        yield from (row[0] for row in database.execute_sql(sql, (end,)).fetchall())


def begin_sends(
    database: Database,
    get_schedule: Callable[[str], Schedule],
    where: Any,
    limit: int,
    now: int,
    by_id: bool = False,
    running: tuple[int, int] = NO_ENDS,
) -> list[LeasedReport]:
    """Lease up to `limit` reports that match `where`; the rows that are ours to send now.

    `get_schedule` gives that of a reporter; `by_id`: `where` names them by their ids; `running`: as
    take_leases has it.
    """
    lease = take_leases(
        database, Report, where, Report.due_at, limit, now, LEASE_LENGTH, death=KILLER,
        note=lambda rows: note_begun(database, get_schedule, rows, now), by_id=by_id, running=running,
    )  # fmt: skip
    if lease.rows:
        reach("outbox: begun, after COMMIT")
    return [
        LeasedReport(
            row.id, row.reporter, row.kind, row.key, bytes(row.body), row.sends, row.sends_before,
            row.lease_token, row.lease_until, now - row.waiting_since, row.created_at,
        )
        for row in lease.rows
    ]  # fmt: skip


def note_begun(
    database: Database, get_schedule: Callable[[str], Schedule], rows: list[Report], now: int
) -> list[Report]:
    """Inside: count the sends of these leased reports; those that are left, with what is changed.

    One that was cut off in the last send of its schedule is dead instead. One whose last send has ended
    was promised another, so it gets that, also where its schedule has become shorter meanwhile.
    """
    alike: dict[tuple[str, int, int, bool], list[Report]] = defaultdict(list)
    for row in rows:
        alike[row.reporter, row.sends, row.sends_before, row.takes > 1].append(row)
    begun: list[Report] = []
    for (reporter, sends, before, is_cut_off), some in alike.items():
        ids = [row.id for row in some]
        schedule = get_schedule(reporter)
        if is_cut_off and sends > before and choose_pause(schedule, sends - before) is None:
            Report.update(**CUT_OFF).where(Report.id << ids).execute()
            continue
        pause = choose_pause(schedule, sends - before + 1) or 0
        due = now + int(pause * 1000)
        sql = f"{BEGIN}({', '.join('?' * len(ids))})".replace("?", database.param)
        database.execute_sql(sql, [now, now, sends + 1, due, *ids])
        for row in some:
            row.waiting_since = now - max(0, row.due_at - row.waiting_since)
            row.sends, row.due_at = sends + 1, due
        begun += some
    empty = {"begun_at": now, "error": "", "answer": ""}
    if begun:
        sends_begun = [{"report": row.id, "number": row.sends, **empty} for row in begun]
        Send.insert_many(sends_begun).execute()
        reach("outbox: begun, before COMMIT")
    return begun
