"""Settled events that earned nothing: found in the ledger, and made Events again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.counting.ledger_events import HAS_PARTS, rebuild_event
from app.database import windows
from app.database.keys import make_event_key
from app.database.opening import Database
from app.porch.rounds import join_key
from app.porch.types import Event

ROWS_AT_ONCE = 10_000  # ids looked through by one statement
COLUMNS = (
    "id", "ordered_key", "source", "type", "event_id", "server_id", "nickname", "user_id",
    "occurred_at", "data", "earns",
)  # fmt: skip
EARNED_NOTHING = (
    "NOT EXISTS (SELECT 1 FROM guerdon_grants WHERE guerdon_grants.event = guerdon_events.id)"
    " AND NOT EXISTS"
    " (SELECT 1 FROM guerdon_repayments WHERE guerdon_repayments.event = guerdon_events.id)"
)


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A settled event without a grant, and the id of its row."""

    row: int
    event: Event


def read_unpaid(database: Database, condition: str, params: Sequence[Any]) -> list[Unpaid]:
    """The events under this condition that rules may pay, and that earned nothing and were never repaid.

    One that has lost its data, which a reward may go by, is none.
    """
    sql = (
        f"SELECT {', '.join(COLUMNS)}, {HAS_PARTS} FROM guerdon_events"
        f" WHERE {condition} AND stripped_at IS NULL AND {EARNED_NOTHING} ORDER BY id"
    )
    rows = database.execute_sql(sql, list(params)).fetchall()
    found = [Unpaid(row[0], rebuild_event(dict(zip(COLUMNS, row[:-1], strict=True)), bool(row[-1])))
             for row in rows]  # fmt: skip
    return [one for one in found if one.event.earns]


def read_unpaid_rows(database: Database, rows: Sequence[int]) -> list[Unpaid]:
    """Those of these rows, by their ids, that are still unpaid."""
    marks = ", ".join([database.param] * len(rows))
    return read_unpaid(database, f"id IN ({marks})", rows)


def has_lost_data(database: Database, rows: Sequence[int]) -> bool:
    """Whether one of these events has no data any more but what rules ask for."""
    marks = ", ".join([database.param] * len(rows))
    sql = f"SELECT 1 FROM guerdon_events WHERE id IN ({marks}) AND stripped_at IS NOT NULL"
    return database.execute_sql(sql, list(rows)).fetchone() is not None


def list_unpaid_keys(database: Database, keys: Sequence[bytes]) -> set[bytes]:
    """Those of these event keys whose events are settled, and earned nothing, and were never repaid."""
    marks = ", ".join([database.param] * len(keys))
    sql = f"SELECT ordered_key FROM guerdon_events WHERE ordered_key IN ({marks}) AND {EARNED_NOTHING}"
    return {bytes(key) for (key,) in database.execute_sql(sql, list(keys)).fetchall()}


def list_windows(database: Database) -> list[int]:
    """The first ids of stretches of the ledger that one statement reads soon."""
    return list(windows.list_windows(database, "guerdon_events", ROWS_AT_ONCE))


def read_window(
    database: Database, first: int, since: int, until: int | None, type: str | None
) -> list[Unpaid]:
    """The unpaid events of one stretch that were settled in this time (ms), of this type if given."""
    mark = database.param
    condition = f"id >= {mark} AND id < {mark} AND settled_at >= {mark}"
    params: list[Any] = [first, first + ROWS_AT_ONCE, since]
    for value, narrower in ((until, "settled_at <"), (type, "type =")):
        if value is not None:
            condition += f" AND {narrower} {mark}"
            params.append(value)
    return read_unpaid(database, condition, params)


def find_family(database: Database, sources: Sequence[str], type: str, id: str) -> list[int]:
    """The row of this settled event, and those of its parts; [] if there is none."""
    keys = [make_event_key(source, type, one) for one in (id, join_key(id)) for source in sources]
    marks = ", ".join([database.param] * len(keys))
    sql = f"SELECT ordered_key, id FROM guerdon_events WHERE ordered_key IN ({marks})"
    rows = {bytes(key): row for key, row in database.execute_sql(sql, keys).fetchall()}
    row = next((rows[key] for key in keys if key in rows), None)
    if row is None:
        return []
    parts = f"SELECT part FROM guerdon_parts WHERE event = {database.param}"
    return [row, *(part for (part,) in database.execute_sql(parts, (row,)).fetchall())]


def cut_chunks(rows: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), length):
        yield rows[start : start + length]
