"""Takes from old rows what nobody needs for ever; keys, amounts and receipts stay.

The dispatcher does it, some rows at a time, in every process at once: how far it is is one row, which is
moved on in the commit of what was done, from where it was seen to be. Who comes second does nothing.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from app.config.retention import Retention
from app.counting.kept_facts import list_asked_facts, note_stripped, reduce_data
from app.counting.marks import add_mark, read_mark
from app.counting.occasions import SOURCE
from app.database.opening import Database
from app.database.states import BoxState
from app.database.windows import list_windows
from app.failpoints import reach
from app.privacy.searching import join_ids
from app.rules.rule import Rules

PLACE = "retention"
ROWS_AT_ONCE = 200
WINDOW = 10_000  # ids counted by one statement
REST = 60.0  # seconds between looks where nothing is old
ENDED = f"state IN ('{BoxState.DELIVERED}', '{BoxState.DEAD}')"
# When a row of each table came, and which of its rows are to be stripped.
OLD = {
    "events": ("guerdon_events", "settled_at", f"stripped_at IS NULL AND source <> '{SOURCE}'"),
    "reports": ("guerdon_reports", "created_at", f"stripped_at IS NULL AND {ENDED}"),
}

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Keeper:
    """Strips what is older than [retention] says."""

    def __init__(
        self, database: Database, retention: Retention, rules: Rules, now: Callable[[], int]
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        answers = retention.data if retention.answers is None else retention.answers
        self._spans = {"events": retention.data, "reports": answers}
        self._asked = list_asked_facts(rules)
        self._now = now
        self._rests_until = 0.0

    @property
    def is_off(self) -> bool:
        """Whether everything is kept for ever."""
        return not any(self._spans.values())

    def strip_due(self) -> int:
        """Strip some rows that are old by now; how many. It rests where there are none."""
        if self.is_off or time.monotonic() < self._rests_until:
            return 0
        count = self.strip_some()
        if count is None:
            self._rests_until = time.monotonic() + REST
        return 0  # nothing was queued that anybody would have to be told of

    def strip_some(self) -> int | None:
        """Some rows of each table in one commit; None where none is old that was not looked at."""
        with suppress(Overtaken):
            return self._database.transact(lambda is_retry: self._strip())
        return 0

    def start_anew(self) -> None:
        """Look at all rows again from the first: some were still on their way when it was their turn."""
        sql = f"DELETE FROM guerdon_counting WHERE name = {self._database.param}"
        self._database.transact(lambda is_retry: self._database.execute_sql(sql, (PLACE,)))

    def count_old(self, progress: Progress = iter) -> dict[str, int]:
        """How many rows of each table are old and not stripped."""
        counts: dict[str, int] = {}
        for name, (table, when, still) in OLD.items():
            if (span := self._spans[name]) is None:
                continue
            counts[name] = 0
            mark = self._database.param
            windows = self._database.read(partial(list_windows, self._database, table, WINDOW))
            for first in progress(windows):
                sql = (
                    f"SELECT COUNT(*) FROM {table} WHERE id >= {int(first)} AND id < {int(first) + WINDOW}"
                    f" AND {when} < {mark} AND {still}"
                )
                counts[name] += self._ask(sql, [self._now() - span])[0][0]
        return counts

    def _ask(self, sql: str, params: Sequence[Any] = ()) -> Sequence[Any]:
        rows: Sequence[Any] = self._database.read(
            lambda: self._database.execute_sql(sql, list(params)).fetchall()
        )
        return rows

    @property
    def _held(self) -> str:
        """Rows stay as they were read until our COMMIT: a person may have a dead report sent just then."""
        return " FOR UPDATE" if self._database.family == "mysql" else ""

    def _strip(self) -> int | None:
        add_mark(self._database, PLACE, "{}")
        before = read_mark(self._database, PLACE) or "{}"
        places: dict[str, int] = json.loads(before)
        count, is_done = 0, True
        for name, strip in (("events", self._strip_events), ("reports", self._strip_reports)):
            rows = self._list_old(name, places.get(name, 0))
            if rows:
                is_done = False
                places[name] = rows[-1][0]
                count += strip([row[0] for row in rows])
        if is_done:
            return None
        mark = self._database.param
        sql = f"UPDATE guerdon_counting SET value = {mark} WHERE name = {mark} AND value = {mark}"
        moved = self._database.execute_sql(sql, (json.dumps(places), PLACE, before)).rowcount
        if not moved:
            raise Overtaken
        reach("retention: before COMMIT")
        return count

    def _list_old(self, name: str, place: int) -> Sequence[Any]:
        """The next rows after this id that are all old."""
        table, when, _ = OLD[name]
        if (span := self._spans[name]) is None:
            return []
        sql = f"SELECT id, {when} FROM {table} WHERE id > {int(place)} ORDER BY id LIMIT {ROWS_AT_ONCE}"
        rows = self._database.execute_sql(sql).fetchall()
        latest = self._now() - span
        young = next((place for place, row in enumerate(rows) if row[1] >= latest), len(rows))
        return list(rows[:young])

    def _strip_events(self, ids: Sequence[int]) -> int:
        """Inside: of settled events the facts that rules ask stay, and nothing of how they waited."""
        sql = (
            "SELECT id, source, type, settled_at, data, ordered_key FROM guerdon_events"
            f" WHERE id IN ({join_ids(ids)}) AND {OLD['events'][2]}{self._held}"
        )
        rows = self._database.execute_sql(sql).fetchall()
        mark, types = self._database.param, Counter[str]()
        for id, source, type, settled_at, data, _ in rows:
            types[type] = max(types[type], settled_at)
            self._database.execute_sql(
                f"UPDATE guerdon_events SET data = {mark}, stripped_at = {mark} WHERE id = {int(id)}",
                (reduce_data(source, type, data, self._asked), self._now()),
            )
        if rows:
            note_stripped(self._database, types, self._asked)
            self._drop_waits([bytes(row[5]) for row in rows])
        return len(rows)

    def _drop_waits(self, keys: Sequence[bytes]) -> None:
        marks = ", ".join([self._database.param] * len(keys))
        self._database.execute_sql(
            f"DELETE FROM guerdon_inbox WHERE ordered_key IN ({marks}) AND state = '{BoxState.SETTLED}'",
            list(keys),
        )
        self._database.execute_sql(
            f"DELETE FROM guerdon_attempts WHERE ordered_key IN ({marks})", list(keys)
        )

    def _strip_reports(self, ids: Sequence[int]) -> int:
        """Inside: of reports that are over, neither what was said nor what was answered stays."""
        sql = (
            f"SELECT id FROM guerdon_reports WHERE id IN ({join_ids(ids)}) AND {OLD['reports'][2]}"
            f"{self._held}"
        )
        listed = join_ids(row[0] for row in self._database.execute_sql(sql).fetchall())
        if not listed:
            return 0
        mark = self._database.param
        count = self._database.execute_sql(
            f"UPDATE guerdon_reports SET body = {mark}, response = NULL, stripped_at = {mark}"
            f" WHERE id IN ({listed})",
            (b"", self._now()),
        ).rowcount
        self._database.execute_sql(f"DELETE FROM guerdon_sends WHERE report IN ({listed})")
        return int(count)


class Overtaken(Exception):
    """Another process has stripped these rows just before us."""
