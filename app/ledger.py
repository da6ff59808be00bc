"""Reads and writes the ledger in as few statements as a batch needs: plain SQL, no model objects."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from app.database import Database
from app.errors import PluginFailed
from app.hookspecs import Event, Grant
from app.models import make_event_key
from app.rules import dump_json

ROWS_AT_ONCE = 200
LONGEST_RECEIPT = 60_000  # bytes; MySQL's TEXT holds little more
EVENT_COLUMNS = (
    "event_key", "source", "type", "event_id", "server_id", "nickname", "user_id", "occurred_at",
    "token", "settled_at", "data",
)  # fmt: skip
GRANT_COLUMNS = (
    "event", "rule", "plugin", "kind", "params", "player_id", "nickname", "server_id", "user_id",
    "receipt", "granted_at",
)  # fmt: skip


def key_of(event: Event) -> bytes:
    return make_event_key(event.source, event.type, event.id)


@lru_cache(maxsize=512)
def insert_sql(table: str, columns: tuple[str, ...], rows: int, mark: str) -> str:
    row = f"({', '.join([mark] * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"


def list_settled_keys(database: Database, keys: Sequence[bytes]) -> set[bytes]:
    """Which of these event keys are settled."""
    if not keys:
        return set()
    marks = ", ".join([database.param] * len(keys))
    sql = f"SELECT event_key FROM guerdon_events WHERE event_key IN ({marks})"
    return {bytes(row[0]) for row in database.execute_sql(sql, list(keys)).fetchall()}


def insert_events(
    database: Database, events: Sequence[tuple[Event, str]], now: int
) -> dict[bytes, int]:
    """Insert (event, token name) pairs as settled; their row ids by event key.

    A key that is there already fails as the database's unique error: a plain INSERT decides.
    """
    ids: dict[bytes, int] = {}
    for start in range(0, len(events), ROWS_AT_ONCE):
        some = events[start : start + ROWS_AT_ONCE]
        keys = [key_of(event) for event, _ in some]
        params: list[Any] = []
        for key, (event, token) in zip(keys, some, strict=True):
            params += (
                key, event.source, event.type, event.id, event.server_id, event.nickname,
                event.user_id, event.occurred_at, token, now, dump_json(event.data),
            )  # fmt: skip
        sql = insert_sql("guerdon_events", EVENT_COLUMNS, len(some), database.param)
        if database.returns_rows:
            rows = database.execute_sql(f"{sql} RETURNING id, event_key", params).fetchall()
        else:
            database.execute_sql(sql, params)
            marks = ", ".join([database.param] * len(keys))
            rows = database.execute_sql(
                f"SELECT id, event_key FROM guerdon_events WHERE event_key IN ({marks})", keys
            ).fetchall()
        ids.update({bytes(key): id_ for id_, key in rows})
    return ids


def insert_grants(database: Database, grants: Iterable[tuple[int, Grant, str]], now: int) -> None:
    """Insert (event row id, grant, its parameters as JSON) into the ledger."""
    rows = list(grants)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        params: list[Any] = []
        for event_row, grant, params_json in some:
            event = grant.event
            params += (
                event_row, grant.rule, grant.plugin, grant.reward.kind, params_json,
                grant.player.key, grant.player.nickname, event.server_id, event.user_id,
                dump_receipt(grant), now,
            )  # fmt: skip
        sql = insert_sql("guerdon_grants", GRANT_COLUMNS, len(some), database.param)
        database.execute_sql(sql, params)


def dump_receipt(grant: Grant) -> str:
    """A receipt as JSON, once everything has been written into it; PluginFailed if it has none."""
    try:
        text = dump_json(grant.receipt)
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginFailed(grant.plugin, "grant_reward, whose receipt is no JSON", error) from error
    if len(text.encode()) > LONGEST_RECEIPT:
        fault = ValueError(f"more than {LONGEST_RECEIPT} bytes")
        raise PluginFailed(grant.plugin, "grant_reward, whose receipt is too long", fault)
    return text
