"""What became of an event, in order: it answers "why was, or wasn't, this paid?"."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.counting.imported import describe_totals
from app.counting.occasions import SOURCE, Occasion
from app.database.keys import make_event_key
from app.database.leases import MAX_TAKES
from app.database.models import Attempt, Event, Grant, Part, Repayment, Report, Waiting
from app.database.source_models import Repeat
from app.database.states import AttemptKind, BoxState
from app.history.reports import describe_report, list_report_steps, list_reports_of
from app.history.states import EventState
from app.porch.masking import mask_tokens
from app.porch.rounds import join_key
from app.porch.text import format_time, make_step

SENTENCES = {
    AttemptKind.DELIVERY: "delivered; could not be settled: {detail}",
    AttemptKind.RETRY: "tried again; could not be settled: {detail}",
    AttemptKind.GAVE_UP: "tried again for the last time: {detail}. It is kept as dead",
    AttemptKind.NEVER: "can never be paid: {detail}. It is kept as dead",
    AttemptKind.RETRY_BY_HAND: "a person had it tried again",
    AttemptKind.POLLED: "found where its site lists it: {detail}",
    AttemptKind.RECONCILED: "its delivery had not come: {detail}",
}


@dataclass(frozen=True)
class Record:
    """All that the tables hold of one event; `settled` and `waiting` are rows, one may be missing."""

    settled: Event | None
    waiting: Waiting | None
    grants: list[Grant]
    repayments: list[Repayment]
    reports: list[Report]

    @property
    def state(self) -> EventState:
        """What became of it."""
        return (
            judge_waiting(self.waiting) if self.waiting and not self.settled else EventState.SETTLED
        )

    @property
    def last_error(self) -> str | None:
        """Why it is not settled."""
        return self.waiting.last_error or None if self.waiting and not self.settled else None

    @property
    def next_try_at(self) -> int | None:
        """When it is tried again (ms), if it waits."""
        is_waiting = self.waiting is not None and self.state is EventState.WAITING
        return find_next_try(self.waiting) if self.waiting and is_waiting else None

    @property
    def known(self) -> Event | Waiting:
        """The row that says most of what came."""
        known = self.settled or self.waiting
        assert known is not None  # find_record makes none without
        return known


def judge_waiting(row: Waiting) -> EventState:
    """The state of an event that is not settled, by its row in the inbox."""
    return EventState.DEAD if row.state == BoxState.DEAD else EventState.WAITING


def find_record(key: bytes) -> Record | None:
    """What there is of the event of this key; None if we never heard of it."""
    # Any: the stubs know fields, not the values they hold.
    waiting: Waiting | None = Waiting.get_or_none(Waiting.ordered_key == key)
    settled: Event | None = Event.get_or_none(Event.ordered_key == key)
    if settled is None and waiting is None:
        return None
    rows = list_family(settled.id) if settled else []
    grants = list(Grant.select().where(Grant.event << rows).order_by(Grant.id)) if rows else []
    return Record(settled, waiting, grants, list_repayments(rows), list_reports_of(rows))


def summarize_event(source: str, type: str, id: str) -> dict[str, Any]:
    """What a game server is answered: the event's state, its grants and reports, as JSON."""
    record = find_record(make_event_key(source, type, id))
    state = record.state if record else EventState.WAITING  # settled by nobody we can see yet
    event = {"type": type, "id": id, "state": state}
    if record and record.last_error:
        event["last_error"] = record.last_error
    return {
        "event": event,
        "grants": [describe_grant(grant) for grant in record.grants] if record else [],
        "reports": [describe_report(report) for report in record.reports] if record else [],
    }


def describe_event(sources: Sequence[str], type: str, id: str) -> dict[str, Any] | None:
    """The event of this type and id, from the first of `sources` that has it, as JSON; or None."""
    # The second spelling is ours for a platform's own id that has a colon in it.
    keys = [make_event_key(source, type, one) for one in (id, join_key(id)) for source in sources]
    record = next(filter(None, map(find_record, keys)), None)
    if record is None:
        return None
    settled, waiting, known, state = record.settled, record.waiting, record.known, record.state
    return {
        "source": known.source,
        "type": type,
        "id": known.event_id,
        "state": state,
        "attempts": (waiting.attempts if waiting else 0) + (1 if settled else 0),
        "last_error": record.last_error,
        "next_try_at": format_time(record.next_try_at),
        "server_id": settled.server_id if settled else None,
        "nickname": settled.nickname if settled else None,
        "user_id": settled.user_id if settled else None,
        "occurred_at": format_time(settled.occurred_at) if settled else None,
        "settled_at": format_time(settled.settled_at) if settled else None,
        "token": known.token,
        "data": show_data(known.data),
        "grants": [describe_grant(grant) for grant in record.grants],
        "reports": [describe_report(report) for report in record.reports],
        "verdicts": list_verdicts(record),
        "timeline": build_timeline(record) + list_report_steps(record.reports),
    }


def list_verdicts(record: Record) -> list[dict[str, Any]]:
    """What each rule said of it, as JSON; where the event alone decided, who paid says it."""
    settled: Any = record.settled
    if settled is not None and settled.verdicts:
        said: list[dict[str, Any]] = json.loads(settled.verdicts)
        return said
    rules = dict.fromkeys(grant.rule for grant in record.grants)
    return [{"rule": rule, "paid": 1} for rule in rules]


def show_data(data: str) -> Any:
    """What is kept of an event, as JSON without its tokens; None where it is nested too deeply."""
    try:
        return mask_tokens(json.loads(data))
    except RecursionError:
        return None


def list_family(event_row: int) -> list[int]:
    """The row of an event, and of those that came and were paid with it."""
    parts: Any = Part.select(Part.part).where(Part.event == event_row).tuples()
    return [event_row, *(row[0] for row in parts)]


def list_repayments(rows: Sequence[int]) -> list[Repayment]:
    """Who had which of these settled events paid later."""
    query = Repayment.select().where(Repayment.event << list(rows)).order_by(Repayment.repaid_at)
    return list(query) if rows else []


def describe_grant(grant: Grant) -> dict[str, Any]:
    """A line of the ledger as JSON."""
    return {
        "id": grant.id,
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


def build_timeline(record: Record) -> list[dict[str, Any]]:
    """Steps with `at`, `what` and a sentence in `detail`, the earliest first."""
    waiting = record.waiting
    steps: list[dict[str, Any]] = []
    if waiting:
        key = bytes(waiting.ordered_key)
        attempts = Attempt.select().where(Attempt.ordered_key == key).order_by(Attempt.id)
        for attempt in attempts:
            detail = SENTENCES[AttemptKind(attempt.what)].format(detail=attempt.detail)
            steps.append(make_step(attempt.at, attempt.what, detail))
    if record.settled:
        steps += list_payment_steps(record, record.settled)
    elif waiting and waiting.state == BoxState.DEAD and waiting.takes >= MAX_TAKES:
        detail = f"taken {waiting.takes} times and never finished: it seems to end whoever tries it"
        steps.append(make_step(waiting.lease_until, "gave up", detail))
    elif waiting and waiting.state != BoxState.DEAD:
        steps.append(
            make_step(find_next_try(waiting), "next try", "will be tried again at this time")
        )
    return steps


def list_payment_steps(record: Record, settled: Event) -> list[dict[str, Any]]:
    """That it was settled, what it earned then, and what a person had paid for it later."""
    later = {one.event for one in record.repayments}
    at_once = [grant for grant in record.grants if grant.event not in later]
    signer = f", signed with {settled.token}" if settled.token else ""
    earned = "" if at_once else f"; {explain_nothing(settled)}"
    detail = f"{settled.source} {settled.type} {settled.event_id}{signer}{earned}"
    steps = [make_step(settled.settled_at, "settled", detail), *map(make_grant_step, at_once)]
    for one in record.repayments:
        rewards = f"{one.grants} reward{'s' * (one.grants > 1)}"
        detail = f"{one.person} had it paid by the rules of then: {rewards}"
        steps.append(make_step(one.repaid_at, "repaid", detail))
        steps += [make_grant_step(grant) for grant in record.grants if grant.event == one.event]
    return steps


def explain_nothing(settled: Event) -> str:
    """Why a settled event earned nothing."""
    if settled.source == SOURCE and settled.type == Occasion.TOTALS:
        return describe_totals(json.loads(settled.data))
    if earlier := Repeat.get_or_none(Repeat.event == settled.id):
        return f"it earned nothing: the same player had one at {format_time(earlier.first_at)}"
    return (
        f"it earned nothing: no rule is for {settled.type} on server {settled.server_id!r}"
        " with these facts"
    )


def make_grant_step(grant: Grant) -> dict[str, Any]:
    detail = (
        f"{grant.kind} {grant.params} to {grant.nickname} by the rule {grant.rule!r}; the plugin"
        f" {grant.plugin} says {grant.receipt}"
    )
    return make_step(grant.granted_at, "granted", detail)


def find_next_try(waiting: Waiting) -> int:
    """When a waiting event is due, in ms; one that a person sent again is due since then."""
    return max(int(waiting.due_at), int(waiting.waiting_since))
