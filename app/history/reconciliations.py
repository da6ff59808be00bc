"""What comparisons with the vote sites' lists have found, for screens, numbers and alarms."""

import json
from typing import Any

from app.database.reconciliation_models import Reconciliation
from app.database.states import ReconciliationState
from app.porch.text import format_time

COUNTS = ("listed", "waiting", "missing", "healed", "differs", "unknown")
ENDED = (ReconciliationState.DONE, ReconciliationState.NOT_KNOWN)


def find_last_reconciliation(
    source: str, state: ReconciliationState | None = None
) -> Reconciliation | None:
    """The latest comparison of a source that has ended, or that ended in this state; None if none has."""
    states = [state] if state else list(ENDED)
    mine = (Reconciliation.source == source) & (Reconciliation.state << states)
    found: Reconciliation | None = (
        Reconciliation.select().where(mine).order_by(Reconciliation.id.desc()).first()
    )
    return found


def find_first_reconciliation(source: str) -> Reconciliation | None:
    """The first comparison of a source, whatever came of it; None where none was begun."""
    mine = Reconciliation.source == source
    found: Reconciliation | None = (
        Reconciliation.select().where(mine).order_by(Reconciliation.id).first()
    )
    return found


def list_reconciliations(
    source: str | None = None, before: int | None = None, limit: int = 20
) -> list[Reconciliation]:
    """A page of them, the latest first; the next page is those before the last one's id."""
    query = Reconciliation.select().order_by(Reconciliation.id.desc()).limit(limit)
    if source is not None:
        query = query.where(Reconciliation.source == source)
    if before is not None:
        query = query.where(Reconciliation.id < before)
    return list(query)


def describe_reconciliation(row: Reconciliation) -> dict[str, Any]:
    """A comparison as JSON: times in ISO 8601, and the first ids of each kind."""
    return {
        "id": row.id,
        "source": row.source,
        "by": row.person or "schedule",
        "begun_at": format_time(row.begun_at),
        "ended_at": format_time(row.ended_at),
        "since": format_time(row.since),
        "heal": bool(row.heals),
        "state": row.state,
        "reason": row.reason,
        **{name: getattr(row, name) for name in COUNTS},
        "found": json.loads(row.found),
    }
