"""Leases reports and notes that their sends begin, in one commit, before any byte leaves.

So a kill never adds a send: the next one is due as if this one had failed. And a send without an end
tells that nobody knows whether it arrived.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from app.crashing import reach
from app.database import Database
from app.lanes import Lanes
from app.leases import take_leases
from app.models import Report, Send
from app.schedules import choose_pause

LEASE_LENGTH = 45_000  # ms; longer than any single send takes
KILLER = {"last_error": "taken 20 times and never finished: it seems to end whoever sends it"}
CUT_OFF = {"state": "dead", "last_error": "its last send was cut off: nobody knows its end"}


def list_due_reporters(database: Database, now: int) -> set[str]:
    """The reporters that have something to send, or to take over."""
    return database.ask(lambda attempt: set(find_due(database, now)))


def find_due(database: Database, now: int) -> Iterator[str]:
    """One step along the index for each reporter, however many reports it has."""
    mark, name = database.param, ""
    step = (
        "SELECT reporter, due_at FROM guerdon_reports WHERE state = 'ready' AND reporter > "
        f"{mark} ORDER BY reporter, due_at LIMIT 1"
    )
    while row := database.execute_sql(step, (name,)).fetchone():
        name, due_at = row
        if due_at <= now:
            yield name
    late = (
        "SELECT DISTINCT reporter FROM guerdon_reports WHERE state = 'leased' AND lease_until <"
        f" {mark}"
    )
    yield from (row[0] for row in database.execute_sql(late, (now,)).fetchall())


def begin_sends(
    database: Database, lanes: Lanes, where: Any, limit: int, now: int, by_id: bool = False
) -> list[Any]:
    """Lease up to `limit` reports that match `where`; the rows that are ours to send now.

    `by_id`: `where` names them by their ids.
    """
    lease = take_leases(
        database, Report, where, Report.due_at, limit, now, LEASE_LENGTH, death=KILLER,
        note=lambda rows: note_begun(lanes, rows, now), by_id=by_id,
    )  # fmt: skip
    if lease.rows:
        reach("outbox: begun, after COMMIT")
    return list(lease.rows)


def note_begun(lanes: Lanes, rows: list[Any], now: int) -> list[Any]:
    """Inside: count the sends of these leased reports; those that are left, with what is changed.

    What has no send left in its schedule is dead instead.
    """
    alike: dict[tuple[str, int, int], list[Any]] = defaultdict(list)
    for row in rows:
        alike[row.reporter, row.sends, row.sends_before].append(row)
    begun: list[Any] = []
    for (reporter, sends, before), some in alike.items():
        ids = [row.id for row in some]
        schedule = lanes.open(reporter).schedule
        if sends > before and choose_pause(schedule, sends - before) is None:
            Report.update(**CUT_OFF).where(Report.id << ids).execute()
            continue
        pause = choose_pause(schedule, sends - before + 1) or 0
        due = now + int(pause * 1000)
        Report.update(sends=sends + 1, due_at=due).where(Report.id << ids).execute()
        for row in some:
            row.sends, row.due_at = sends + 1, due
        begun += some
    empty = {"begun_at": now, "error": "", "answer": ""}
    if begun:
        sends_begun = [{"report": row.id, "number": row.sends, **empty} for row in begun]
        Send.insert_many(sends_begun).execute()
        reach("outbox: begun, before COMMIT")
    return begun
