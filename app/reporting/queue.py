"""Queues the reports of events that are just being paid, in the same transaction."""

from collections.abc import Iterator, Sequence
from typing import Any

from app.database.keys import make_report_key
from app.database.opening import Database
from app.database.statements import cut_rows, insert_sql
from app.database.states import BoxState
from app.host.loading import Plugins
from app.porch.errors import PluginFailed
from app.porch.text import is_unicode
from app.porch.types import Event, Grant, Report

ROWS_AT_ONCE = 100
LONGEST = {"reporter": 64, "kind": 64, "key": 255}  # characters
LARGEST_BODY = 4 << 20  # bytes; more than any body that comes in, with what a reporter adds
COLUMNS = (
    "report_key", "reporter", "kind", "key", "event", "body", "state", "due_at", "lease_token",
    "lease_until", "takes", "sends", "sends_before", "last_error", "created_at", "waiting_since",
)  # fmt: skip


def build_reports(
    plugins: Plugins, event: Event, grants: Sequence[Grant], now: int
) -> Iterator[Report]:
    """What the plugins want reported of an event; raises what undoes it.

    `grants` are the event's own.
    """
    facts = {"settings": plugins.settings, "now": now}
    heard = plugins.ask("build_report", event=event, grants=grants, **facts)
    if not isinstance(heard.value, list):  # a wrapper that forgot to return
        raise PluginFailed("that wraps it", "build_report", TypeError("it returned no list"))
    for answer in heard.value:
        for report in answer if isinstance(answer, list) else [answer]:
            if fault := find_fault(report):
                name = heard.find_author(answer) or "that wraps it"
                raise PluginFailed(name, f"build_report ({fault})", TypeError(fault))
            yield report


def find_fault(report: Any) -> str:
    """Why this is no report that the table can hold; "" if it is one."""
    if not isinstance(report, Report):
        return "it returned no Report"
    for name, longest in LONGEST.items():
        text = getattr(report, name)
        if not isinstance(text, str) or not 0 < len(text) <= longest or not is_unicode(text):
            return f"its {name} is not a string of 1 to {longest} characters"
        if name != "key" and (text != text.strip() or not text.isprintable()):
            return f"its {name} has a space at an end, or what is not printable"  # MariaDB pads
    if not isinstance(report.body, bytes) or len(report.body) > LARGEST_BODY:
        return f"its body is not bytes, at most {LARGEST_BODY}"
    return ""


def insert_reports(
    database: Database, reports: Sequence[tuple[int, Report]], now: int, look_first: bool
) -> None:
    """Inside: insert (event row id, report) pairs as ready; of those with one key, the first alone.

    A key that is in the table already is left as it is with `look_first`; without, it fails as the
    database's unique error.
    """
    queued: dict[bytes, tuple[int, Report]] = {}
    for event_row, report in reports:
        key = make_report_key(report.reporter, report.kind, report.key)
        queued.setdefault(key, (event_row, report))
    for key in list_queued_keys(database, list(queued)) if look_first else ():
        del queued[key]
    quote = database.quote[0]
    columns = tuple(f"{quote}{column}{quote}" for column in COLUMNS)
    rows = [
        (key, report.reporter, report.kind, report.key, event_row, report.body, BoxState.READY, now, "", now,
         0, 0, 0, "", now, now)
        for key, (event_row, report) in queued.items()
    ]  # fmt: skip
    for some in cut_rows(rows, database.bytes_at_once):
        sql = insert_sql("guerdon_reports", columns, len(some), database.param)
        database.execute_sql(sql, [value for row in some for value in row])


def list_queued_keys(database: Database, keys: Sequence[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for start in range(0, len(keys), ROWS_AT_ONCE):
        some = list(keys[start : start + ROWS_AT_ONCE])
        marks = ", ".join([database.param] * len(some))
        sql = f"SELECT report_key FROM guerdon_reports WHERE report_key IN ({marks})"
        found |= {bytes(row[0]) for row in database.execute_sql(sql, some).fetchall()}
    return found
