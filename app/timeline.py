"""What became of an event, in order: it answers "why was, or wasn't, this paid?"."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.leases import MAX_TAKES
from app.models import Attempt, Event, Grant, Waiting, make_event_key

SENTENCES = {
    "delivery": "delivered; could not be settled: {detail}",
    "retry": "tried again; could not be settled: {detail}",
    "gave up": "tried again for the last time: {detail}. It is kept as dead",
    "retry by hand": "a person had it tried again",
}


def format_time(ms: int | None) -> str | None:
    """ISO 8601 UTC of a time in ms, or None."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def describe_event(sources: Sequence[str], type: str, id: str) -> dict[str, Any] | None:
    """The event of this type and id from any of `sources`, as JSON; None if we never heard of it."""
    keys = [make_event_key(source, type, id) for source in sources]
    # Any: the stubs know fields, not the values they hold.
    waiting: Any = Waiting.get_or_none(Waiting.event_key << keys) if keys else None
    settled: Any = Event.get_or_none(Event.event_key << keys) if keys else None
    if settled is None and waiting is None:
        return None
    if settled and waiting and bytes(settled.event_key) != bytes(waiting.event_key):
        waiting = None  # another source's event of the same type and id
    grants = list(Grant.select().where(Grant.event == settled.id)) if settled else []
    state = "settled" if settled else "dead" if waiting.state == "dead" else "waiting"
    known = settled or waiting
    return {
        "source": known.source,
        "type": type,
        "id": id,
        "state": state,
        "attempts": (waiting.attempts if waiting else 0) + (1 if settled else 0),
        "last_error": waiting.last_error or None if waiting and not settled else None,
        "next_try_at": format_time(find_next_try(waiting)) if state == "waiting" else None,
        "server_id": settled.server_id if settled else None,
        "nickname": settled.nickname if settled else None,
        "user_id": settled.user_id if settled else None,
        "occurred_at": format_time(settled.occurred_at) if settled else None,
        "settled_at": format_time(settled.settled_at) if settled else None,
        "token": known.token,
        "data": json.loads(settled.data) if settled else None,
        "grants": [describe_grant(grant) for grant in grants],
        "reports": [],
        "timeline": build_timeline(settled, waiting, grants),
    }


def describe_grant(grant: Grant) -> dict[str, Any]:
    """A line of the ledger as JSON."""
    return {
        "rule": grant.rule,
        "plugin": grant.plugin,
        "reward": grant.kind,
        "params": json.loads(grant.params),
        "player_id": grant.player_id,
        "nickname": grant.nickname,
        "server_id": grant.server_id,
        "user_id": grant.user_id,
        "receipt": json.loads(grant.receipt),
        "granted_at": format_time(grant.granted_at),
    }


def build_timeline(
    settled: Event | None, waiting: Waiting | None, grants: Sequence[Grant]
) -> list[dict[str, Any]]:
    """Steps with `at`, `what` and a sentence in `detail`, the earliest first."""
    steps: list[dict[str, Any]] = []
    if waiting:
        key = bytes(waiting.event_key)
        attempts = Attempt.select().where(Attempt.event_key == key).order_by(Attempt.id)
        for attempt in attempts:
            detail = SENTENCES[attempt.what].format(detail=attempt.detail)
            steps.append(make_step(attempt.at, attempt.what, detail))
    if settled:
        signer = f", signed with {settled.token}" if settled.token else ""
        earned = "" if grants else (
            f"; it earned nothing: no rule is for {settled.type} on server {settled.server_id!r}"
        )  # fmt: skip
        detail = f"{settled.source} {settled.type} {settled.event_id}{signer}{earned}"
        steps.append(make_step(settled.settled_at, "settled", detail))
        for grant in grants:
            detail = f"{grant.kind} {grant.params} to {grant.nickname} by the rule {grant.rule!r}"
            steps.append(make_step(grant.granted_at, "granted", detail))
    elif waiting and waiting.state == "dead" and waiting.takes >= MAX_TAKES:
        detail = f"taken {waiting.takes} times and never finished: it seems to end whoever tries it"
        steps.append(make_step(waiting.lease_until, "gave up", detail))
    elif waiting and waiting.state != "dead":
        steps.append(
            make_step(find_next_try(waiting), "next try", "will be tried again at this time")
        )
    return steps


def find_next_try(waiting: Any) -> int:
    """When a waiting event is due, in ms; one that a person sent again is due since then."""
    return max(int(waiting.due_at), int(waiting.waiting_since))


def make_step(at: int, what: str, detail: str) -> dict[str, Any]:
    return {"at": format_time(at), "what": what, "detail": detail}


def list_latest_events(state: str | None, limit: int) -> list[str]:
    """A line for each of the latest events; those that wait, or are dead, before the settled."""
    lines = []
    if state != "settled":
        wanted = ["dead"] if state == "dead" else ["ready", "leased"]
        if state is None:
            wanted.append("dead")
        rows = Waiting.select().where(Waiting.state << wanted).order_by(Waiting.id.desc())
        for row in rows.limit(limit):
            shown = "dead" if row.state == "dead" else "waiting"
            when = format_time(row.received_at)
            lines.append(f"{when}  {shown:8} {row.type}  {row.event_id}  {row.last_error}")
    if state in (None, "settled"):
        for event in Event.select().order_by(Event.id.desc()).limit(limit):
            when = format_time(event.settled_at)
            lines.append(f"{when}  settled  {event.type}  {event.event_id}  {event.nickname}")
    return lines[:limit]
