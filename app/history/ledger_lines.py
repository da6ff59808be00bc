"""Rows of the ledger, and tries of what is not in it yet, as plain values: for lines, and for others."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from app.database.opening import Database
from app.database.states import AttemptKind
from app.history.states import EventState
from app.history.timeline import show_data
from app.porch.text import format_time

ROWS_AT_ONCE = 200
SETTLED = (
    "id",
    "source",
    "type",
    "event_id",
    "server_id",
    "nickname",
    "user_id",
    "settled_at",
    "data",
)
STATES = {
    AttemptKind.DELIVERY: EventState.WAITING,
    AttemptKind.RETRY: EventState.WAITING,
    AttemptKind.RETRY_BY_HAND: EventState.WAITING,
    AttemptKind.GAVE_UP: EventState.DEAD,
    AttemptKind.NEVER: EventState.DEAD,
    AttemptKind.POLLED: EventState.WAITING,
}
Lines = list[dict[str, Any]]


def read_settled(
    database: Database, ids: Sequence[int], types: Sequence[str] = (), servers: Sequence[str] = ()
) -> Lines:
    """The settled events of these rows with their grants, as JSON; of these types and servers, if given."""
    return read_by_ids(ids, lambda some: list(read_some(database, some, types, servers)))


def read_by_ids(ids: Sequence[int], read: Callable[[Sequence[int]], Lines]) -> Lines:
    chunks = [ids[start : start + ROWS_AT_ONCE] for start in range(0, len(ids), ROWS_AT_ONCE)]
    return [line for some in chunks for line in read(some)]


def read_some(
    database: Database, ids: Sequence[int], types: Sequence[str], servers: Sequence[str]
) -> Lines:
    mark, params = database.param, [*ids]
    conditions = [f"id IN ({', '.join([mark] * len(ids))})"]
    for column, values in (("type", types), ("server_id", servers)):
        if values:
            conditions.append(f"{column} IN ({', '.join([mark] * len(values))})")
            params += list(values)  # type: ignore[arg-type]
    sql = f"SELECT {', '.join(SETTLED)} FROM guerdon_events WHERE {' AND '.join(conditions)} ORDER BY id"
    rows = database.execute_sql(sql, params).fetchall()
    grants = read_grants(database, [row[0] for row in rows])
    return [make_line(dict(zip(SETTLED, row, strict=True)), grants[row[0]]) for row in rows]


def make_line(row: dict[str, Any], grants: Lines) -> dict[str, Any]:
    return {
        "row": row["id"], "state": EventState.SETTLED, "at": format_time(row["settled_at"]),
        "source": row["source"], "type": row["type"], "id": row["event_id"],
        "server_id": row["server_id"], "nickname": row["nickname"], "user_id": row["user_id"],
        "facts": show_data(row["data"]), "grants": grants,
    }  # fmt: skip


def read_grants(database: Database, events: Sequence[int]) -> dict[int, Lines]:
    """What these rows earned, by row."""
    found: dict[int, Lines] = defaultdict(list)
    marks = ", ".join([database.param] * len(events))
    sql = (
        "SELECT event, kind, params, receipt, nickname, player_id, rule FROM guerdon_grants"
        f" WHERE event IN ({marks}) ORDER BY id"
    )
    rows: Any = database.execute_sql(sql, list(events)).fetchall() if events else ()
    for event, kind, params, receipt, nickname, player, rule in rows:
        found[event].append(
            {"reward": kind, "params": json.loads(params), "receipt": json.loads(receipt),
             "nickname": nickname, "player_id": player, "rule": rule}
        )  # fmt: skip
    return found


def read_tries(database: Database, ids: Sequence[int], types: Sequence[str] = ()) -> Lines:
    """Tries of events that are not settled, by the ids of the attempts: as JSON, with why."""
    return read_by_ids(ids, lambda some: read_some_tries(database, some, types))


def read_some_tries(database: Database, ids: Sequence[int], types: Sequence[str]) -> Lines:
    marks = ", ".join([database.param] * len(ids))
    sql = (
        "SELECT one.id, one.at, one.what, one.detail, inbox.source, inbox.type, inbox.event_id"
        " FROM guerdon_attempts AS one JOIN guerdon_inbox AS inbox"
        f" ON inbox.ordered_key = one.ordered_key WHERE one.id IN ({marks}) ORDER BY one.id"
    )
    rows: Any = database.execute_sql(sql, list(ids)).fetchall()
    return [
        {"row": id, "state": STATES[AttemptKind(what)], "at": format_time(at), "source": source,
         "type": type, "id": event_id, "what": what, "detail": detail}
        for id, at, what, detail, source, type, event_id in rows
        if not types or type in types
    ]  # fmt: skip
