"""What is not done yet, counted and found by the indexes of open rows: what is done is never counted."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.database.models import Event, Waiting
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history.timeline import find_next_try, judge_waiting
from app.numbers.open_counts import OpenCount, count_open

OPEN = (*ON_THEIR_WAY, BoxState.DEAD)
LOOKED_THROUGH = 250  # open events of a state in which a player is looked for


@dataclass(frozen=True, slots=True)
class Pile:
    """Open rows of one kind; `oldest` is since when (ms) one waits that is not dead."""

    waiting: int = 0
    dead: int = 0
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Piles:
    """All that is open: reports by their reporter."""

    events: Pile
    reports: dict[str, Pile]
    claims: Pile


def count_piles(database: Database) -> Piles:
    """What waits and what is dead now, on the connection of this thread."""
    found = count_open(database)
    reporters = sorted({one.of for one in found.reports})
    reports = {
        name: make_pile([one for one in found.reports if one.of == name]) for name in reporters
    }
    return Piles(make_pile(found.inbox), reports, make_pile(found.claims))


def make_pile(rows: Sequence[OpenCount]) -> Pile:
    """Rows of all states as one; what is dead waits for nobody."""
    waiting = [one for one in rows if one.state in ON_THEIR_WAY]
    times = [one.oldest for one in waiting if one.oldest is not None]
    dead = sum(one.number for one in rows if one.state == BoxState.DEAD)
    return Pile(sum(one.number for one in waiting), dead, min(times, default=None))


def describe_waiting(row: Waiting) -> dict[str, Any]:
    """An open event as a line of a table."""
    is_dead = row.state == BoxState.DEAD
    return {
        "type": row.type, "id": row.event_id, "source": row.source, "why": row.last_error,
        "state": judge_waiting(row), "since": row.received_at, "attempts": row.attempts,
        "next": None if is_dead else find_next_try(row),
    }  # fmt: skip


def find_last_settled() -> int | None:
    """When the latest event was settled (ms)."""
    row = Event.select(Event.settled_at).order_by(Event.id.desc()).limit(1).tuples().first()
    return row[0] if row else None


def list_waiting_of(nickname: str) -> list[dict[str, Any]]:
    """Open events that name this player, among the latest of each state: nothing finds them by name."""
    found = []
    for state in OPEN:  # each in the order of an index
        latest = Waiting.select().where(Waiting.state == state).order_by(Waiting.due_at.desc())
        found += [row for row in latest.limit(LOOKED_THROUGH) if does_name(row, nickname)]
    return [describe_waiting(row) for row in sorted(found, key=lambda row: -row.id)]


def does_name(row: Waiting, nickname: str) -> bool:
    """Whether the facts of an event, or why it waits, name this player."""
    if f'"{nickname}"' in row.last_error or repr(nickname) in row.last_error:
        return True
    try:
        facts = json.loads(row.data)
    except (ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and nickname in list_texts(facts.values())


def list_texts(values: Iterable[Any]) -> Sequence[str]:
    return [value for value in values if isinstance(value, str)]
