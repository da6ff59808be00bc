"""Reports to look at, and to have sent again by a person."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from app.database.chunks import run_in_chunks
from app.database.models import Report, Send
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history.states import SendResult
from app.porch.errors import BadReport
from app.porch.json import RawJson
from app.porch.text import format_time, make_step

SENDS_SHOWN = 200


def find_report(id: int) -> Report | None:
    """The row of a report, or None."""
    return Report.get_or_none(Report.id == id) if 0 < id < 2**63 else None


def list_reports_of(event_rows: Sequence[int]) -> list[Report]:
    """The reports that these events (row ids) caused, in order."""
    if not event_rows:
        return []
    return list(Report.select().where(Report.event << list(event_rows)).order_by(Report.id))


def describe_report(row: Report) -> dict[str, Any]:
    """A report in short, as an event's answer has it; `response` is the platform's reply as it came."""
    return {
        "id": row.id,
        "reporter": row.reporter,
        "kind": row.kind,
        "state": row.state,
        "sends": row.sends,
        "last_error": row.last_error or None,
        "response": RawJson(row.response) if row.response else None,
    }


def describe_report_fully(row: Report) -> dict[str, Any]:
    """A report with each of its attempts, as JSON (with RawJson in it)."""
    return {
        **describe_report(row),
        "key": row.key,
        "next_send_at": format_time(row.due_at) if row.state in ON_THEIR_WAY else None,
        "created_at": format_time(row.created_at),
        "delivered_at": format_time(row.delivered_at),
        "attempts": [describe_send(send) for send in list_sends([row.id])],
    }


def list_sends(ids: Sequence[int]) -> list[Send]:
    query = Send.select().where(Send.report << list(ids)).order_by(Send.id.desc())
    return list(reversed(query.limit(SENDS_SHOWN)))


def describe_send(send: Send) -> dict[str, Any]:
    """One attempt; `result` is unknown while it runs, and for ever if its sender was killed."""
    return {
        "number": send.number,
        "begun_at": format_time(send.begun_at),
        "ended_at": format_time(send.ended_at),
        "result": judge_send(send),
        "status": send.status,
        "latency_ms": send.latency,
        "error": send.error or None,
        "answer": send.answer or None,
    }


def judge_send(send: Send) -> SendResult:
    if send.ended_at is None:
        return SendResult.UNKNOWN
    return SendResult.FAILED if send.error else SendResult.DELIVERED


def list_report_steps(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """What became of an event's reports, as steps of its timeline; what is still to come is last."""
    names = {row.id: f"{row.reporter} {row.kind}" for row in reports}
    steps = [
        (row.created_at, make_step(row.created_at, "report queued", f"{names[row.id]} as {row.id}"))
        for row in reports
    ]
    latest = {row.id: row.created_at for row in reports}
    for send in list_sends(list(names)) if names else ():
        detail = f"{names[send.report]}, send {send.number}: {describe_result(send)}"
        steps.append((send.begun_at, make_step(send.begun_at, "report sent", detail)))
        latest[send.report] = send.ended_at or send.begun_at
    for row in reports:
        if row.state == BoxState.DEAD:
            detail = f"{names[row.id]} is not sent again: {row.last_error}"
            steps.append((latest[row.id], make_step(latest[row.id], "report dead", detail)))
    steps.sort(key=lambda pair: pair[0])
    return [step for _, step in steps] + [
        make_step(row.due_at, "next send", f"{names[row.id]} will be sent at this time")
        for row in reports
        if row.state == BoxState.READY
    ]


def describe_result(send: Send) -> str:
    answered = f", answered {send.status}" if send.status else ""
    result = judge_send(send)
    if result is SendResult.UNKNOWN:
        return "began; its end is not known"
    return f"failed: {send.error}" if result is SendResult.FAILED else f"delivered{answered}"


def list_dead_reports(
    reporter: str, since: int | None = None, until: int | None = None
) -> list[int]:
    """Ids of the dead reports of a reporter, queued from `since` to before `until` (ms)."""
    query: Any = Report.select(Report.id).where(
        Report.state == BoxState.DEAD, Report.reporter == reporter
    )
    if since is not None:
        query = query.where(Report.created_at >= since)
    if until is not None:
        query = query.where(Report.created_at < until)
    return [row[0] for row in query.order_by(Report.id).tuples()]


def revive_reports(
    database: Database,
    ids: Sequence[int],
    now: int,
    progress: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> int:
    """Have dead reports sent again at once, by their whole schedule; how many that was.

    Those that only wait for their next send are sent now, with what is left of theirs.
    """

    revive = partial(revive_rows, (BoxState.DEAD, BoxState.READY), now)
    return run_in_chunks(database, ids, revive, progress)


def revive_rows(states: Sequence[str], now: int, ids: Sequence[int]) -> int:
    """Inside: as revive_reports, of those of these rows that are in one of `states`; how many there were."""
    mine = Report.id << list(ids)
    # Of a ready one `lease_until` tells when `due_at` was written: that of its last lease is over.
    at_once = {"due_at": now, "lease_until": now}
    anew = {"sends_before": Report.sends, "waiting_since": now, "takes": 0, **at_once}
    changed = 0
    if BoxState.DEAD in states:
        dead = mine & (Report.state == BoxState.DEAD)
        changed = Report.update(state=BoxState.READY, **anew).where(dead).execute()
    if BoxState.READY in states:
        waiting = mine & (Report.state == BoxState.READY) & (Report.due_at != now)
        changed += Report.update(**at_once).where(waiting).execute()
    return int(changed)


def require_revivable(id: int) -> None:
    """Raise BadReport where sending this report again makes no sense."""
    row = find_report(id)
    if row is None:
        raise BadReport(f"there is no report {id}")
    if row.state == BoxState.DELIVERED:
        raise BadReport(f"report {id} was delivered; its reply is kept, and it is not sent again")
    if row.state == BoxState.LEASED:
        raise BadReport(f"report {id} is being sent just now")
