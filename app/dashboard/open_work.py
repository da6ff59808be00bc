"""What is not done yet, counted and found by the indexes of open rows: what is done is never counted."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.database.models import Event, Waiting
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history.timeline import find_next_try, judge_waiting
from app.metrics import families
from app.metrics.families import Family
from app.watching.looking import SHOWN, look_at_boxes

OPEN = (*ON_THEIR_WAY, BoxState.DEAD)
WAITING, LEASED, DEAD = (SHOWN[state] for state in OPEN)
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
    seen: dict[str, dict[tuple[str, ...], int]] = {}
    for one in look_at_boxes(database, ()):
        seen.setdefault(one.family.name, {})[one.values] = round(one.number)
    reporters = sorted({reporter for reporter, _ in seen.get(families.REPORTS.name, {})})
    return Piles(
        make_pile(seen, families.INBOX, families.INBOX_OLDEST),
        {one: make_pile(seen, families.REPORTS, families.REPORTS_OLDEST, one) for one in reporters},
        make_pile(seen, families.CLAIMS, families.CLAIMS_OLDEST),
    )


def make_pile(
    seen: Mapping[str, Mapping[tuple[str, ...], int]], counted: Family, oldest: Family, *of: str
) -> Pile:
    """Rows of all states as one; what is dead waits for nobody."""
    numbers = seen.get(counted.name, {})
    since = seen.get(oldest.name, {}).get(of)
    waiting = sum(numbers.get((*of, state), 0) for state in (WAITING, LEASED))
    return Pile(waiting, numbers.get((*of, DEAD), 0), since * 1000 if since else None)


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
