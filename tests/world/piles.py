"""Many rows that wait or are dead, and events that are settled, put into the tables as they are."""

from typing import Any

from app.database.models import Event, Report, Waiting
from app.guerdon import Guerdon

AT_ONCE = 500


def pile_events(guerdon: Guerdon, count: int, prefix: str = "d", **values: Any) -> None:
    """So many rows of the inbox, dead unless `values` say otherwise; an error may have {n} in it."""
    row = {
        "source": "elsewhere", "type": "server.vote", "token": "", "data": "{}", "state": "dead",
        "due_at": 5, "lease_token": "", "lease_until": 0, "takes": 0, "attempts": 1, "retries": 9,
        "last_error": "nobody", "received_at": 1000, "waiting_since": 0,
    } | values  # fmt: skip
    insert(guerdon, Waiting, [
        row | {"ordered_key": f"{prefix}{n}".encode().ljust(32, b"\0"), "event_id": f"{prefix}{n}",
               "last_error": str(row["last_error"]).format(n=n)}
        for n in range(count)
    ])  # fmt: skip


def pile_reports(guerdon: Guerdon, count: int, prefix: str = "r", **values: Any) -> None:
    """So many reports, as pile_events."""
    row = {
        "reporter": "studio", "kind": "sold", "event": 1, "body": b"{}", "state": "dead",
        "due_at": 5, "lease_token": "", "lease_until": 0, "takes": 0, "sends": 1, "sends_before": 0,
        "response": None, "last_error": "nobody", "created_at": 1000, "waiting_since": 0,
        "delivered_at": None,
    } | values  # fmt: skip
    insert(guerdon, Report, [
        row | {"report_key": f"{prefix}{n}".encode().ljust(32, b"\0"), "key": f"{prefix}{n}",
               "last_error": str(row["last_error"]).format(n=n)}
        for n in range(count)
    ])  # fmt: skip


def pile_settled(guerdon: Guerdon, count: int, prefix: str = "s", **values: Any) -> None:
    """So many settled events, a second apart from `settled_at` (ms) on."""
    row = {
        "source": "elsewhere", "type": "server.vote", "server_id": "1", "nickname": "Bob",
        "user_id": "", "occurred_at": None, "token": "", "settled_at": 1000, "data": "{}",
        "earns": True, "player_id": None, "counted_at": None, "verdicts": None,
    } | values  # fmt: skip
    insert(guerdon, Event, [
        row | {"ordered_key": f"{prefix}{n}".encode().ljust(32, b"\0"), "event_id": f"{prefix}{n}",
               "settled_at": row["settled_at"] + 1000 * n}
        for n in range(count)
    ])  # fmt: skip


def insert(guerdon: Guerdon, model: Any, rows: list[dict[str, Any]]) -> None:
    with guerdon.database.connection_context(), guerdon.database.atomic():
        for start in range(0, len(rows), AT_ONCE):
            model.insert_many(rows[start : start + AT_ONCE]).execute()
