"""Looks through the tables for what is a player's own, and for what else names him; it writes nothing.

All is looked through by id, some rows at a time: an index by name would be on the way of each vote.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.counting.occasions import SOURCE
from app.database.opening import Database
from app.database.states import BoxState
from app.database.windows import find_ends
from app.privacy.person import Person

ROWS_AT_ONCE = 2000
EVENTS = (
    "id", "source", "nickname", "user_id", "player_id", "earns", "settled_at", "data"
)  # fmt: skip

Progress = Callable[[Sequence[Any]], Iterable[Any]]


@dataclass
class Found:
    """Ids of rows: of the player's own, and of those of others that name him."""

    events: list[int] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)  # events
    inbox: list[int] = field(default_factory=list)  # his, that never were settled
    rounds: list[int] = field(default_factory=list)  # of the inbox, with others
    told_inbox: list[int] = field(default_factory=list)  # others', whose reason names him
    attempts: list[int] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    grants: list[int] = field(default_factory=list)  # his, whoever's the event is
    latest: int = 0  # the last event looked at

    @property
    def is_empty(self) -> bool:
        """Whether nothing is his own."""
        return not (self.events or self.inbox or self.claims or self.grants)


class Search:
    """Looks for one person, as of the time (ms) before which rows may be his by their name alone."""

    def __init__(
        self, database: Database, person: Person, before: int, is_gone: Callable[[str], bool]
    ) -> None:
        """`is_gone`: whether nobody has a key any more; rows of such a one go by their nickname."""
        self._database = database
        self._person = person
        self._before = before
        self._is_gone = is_gone
        self._gone: dict[str, bool] = {}

    def run(self, progress: Progress = iter, after: int = 0) -> Found:
        """All that is there; of events those with a later id than `after`."""
        found = Found(latest=after)
        paid = set(self._list_by_key("guerdon_grants", "event"))
        for first in progress(self._list_windows("guerdon_events", after)):
            rows = self._read_window("guerdon_events", EVENTS, first, after)
            self._judge_events(rows, paid, found)
        found.grants = self._list_by_key("guerdon_grants", "id")
        found.claims = self._list_by_key("guerdon_claims", "id")
        self._look_into_inbox(found)
        for first in self._list_windows("guerdon_attempts", 0):
            for id, detail in self._read_window("guerdon_attempts", ("id", "detail"), first, 0):
                if self._is_told(detail):
                    found.attempts.append(id)
        return found

    def _list_windows(self, table: str, after: int) -> list[int]:
        low, high = self._database.read(lambda: find_ends(self._database, table))
        if low is None or high is None:
            return []
        return list(range(max(low, after + 1), high + 1, ROWS_AT_ONCE))

    def _read_window(
        self, table: str, columns: Sequence[str], first: int, after: int
    ) -> Sequence[Any]:
        sql = (
            f"SELECT {', '.join(columns)} FROM {table} WHERE id >= {int(first)}"
            f" AND id < {int(first) + ROWS_AT_ONCE} AND id > {int(after)} ORDER BY id"
        )
        rows: Sequence[Any] = self._database.read(
            lambda: self._database.execute_sql(sql).fetchall()
        )
        return rows

    def _list_by_key(self, table: str, column: str) -> list[int]:
        """By the index of player_id."""
        keys = sorted({*self._person.keys, *(key for key, gone in self._gone.items() if gone)})
        if not keys:
            return []
        marks = ", ".join([self._database.param] * len(keys))
        sql = f"SELECT {column} FROM {table} WHERE player_id IN ({marks}) ORDER BY id"
        rows = self._database.read(lambda: self._database.execute_sql(sql, keys).fetchall())
        return [row[0] for row in rows]

    def _judge_events(self, rows: Sequence[Any], paid: set[int], found: Found) -> None:
        doubtful: list[int] = []
        for id, source, nickname, user_id, key, earns, settled_at, data in rows:
            found.latest = max(found.latest, id)
            if earns is not None and not earns:  # a round as a whole, or a party: nobody's own
                if self._does_mention(source, user_id, data):
                    found.mentions.append(id)
            elif key in self._person.keys or id in paid or self._is_payee(source, user_id):
                found.events.append(id)
            elif settled_at < self._before and self._is_named(source, nickname, user_id):
                if not key:
                    doubtful.append(id)
                elif self._was(key):
                    found.events.append(id)
        found.events += self._leave_out_others(doubtful)

    def _is_payee(self, source: str, user_id: str) -> bool:
        return source == SOURCE and user_id in self._person.keys

    def _is_named(self, source: str, nickname: str, user_id: str) -> bool:
        if nickname.strip():
            return self._person.is_called(nickname)
        return source != SOURCE and bool(user_id) and self._person.find(user_id) is not None

    def _was(self, key: str) -> bool:
        """Whether a player of another key, who had his name, is gone by now."""
        if key not in self._gone:
            self._gone[key] = self._database.read(lambda: self._is_gone(key))
        return self._gone[key]

    def _leave_out_others(self, ids: Sequence[int]) -> Iterator[int]:
        """Those of these events that paid nobody else who is still there."""
        paid: dict[int, set[str]] = {}
        if ids:
            sql = f"SELECT event, player_id FROM guerdon_grants WHERE event IN ({join_ids(ids)})"
            for event, key in self._database.read(
                lambda: self._database.execute_sql(sql).fetchall()
            ):
                paid.setdefault(event, set()).add(key)
        for id in ids:
            others = paid.get(id, set()) - self._person.keys - {""}
            if all(self._was(key) for key in sorted(others)):
                yield id

    def _does_mention(self, source: str, user_id: str, data: str) -> bool:
        if self._person.find(user_id):
            return True
        if not self._person.is_in(data):
            return False
        said = json.loads(data)
        if source == SOURCE:
            return bool(self._person.new_key) and names_payee(said, self._person.keys)
        return self._person.is_named_in(said)

    def _look_into_inbox(self, found: Found) -> None:
        """What was never settled."""
        columns = ("id", "event_id", "data", "last_error", "state")
        for first in self._list_windows("guerdon_inbox", 0):
            for id, event_id, data, error, state in self._read_window(
                "guerdon_inbox", columns, first, 0
            ):
                if state == BoxState.SETTLED:
                    continue
                texts = any(map(self._person.is_in, (event_id, data, error)))
                if texts and self._is_waiting(event_id, data, error):
                    found.inbox.append(id)
                elif texts and self._person.is_named_in(json.loads(data)):
                    found.rounds.append(id)
                elif texts and self._is_told(error):
                    found.told_inbox.append(id)

    def _is_waiting(self, event_id: str, data: str, error: str) -> bool:
        """Whether a delivery is his: by its data or id, or because it is he who is not known.

        One that only names him, as whoever owns the server, is another's: he loses nothing by this.
        """
        said = json.loads(data)
        is_round = isinstance(said, dict) and "report_msg" in said
        if not is_round and self._person.is_addressee(event_id, said):
            return True
        return any(f"called {one}" in error for one in self._person.quoted)

    def _is_told(self, text: str) -> bool:
        return self._person.is_in(text) and self._person.replace_quoted(text) != text


def names_payee(data: Any, keys: Iterable[str]) -> bool:
    """Whether one of these keys is among those whom a party or a ranking pays."""
    known = set(keys)
    return any(row[0] in known for name in ("voters", "table") for row in data.get(name, ()))


def join_ids(ids: Iterable[int]) -> str:
    return ", ".join(str(int(id)) for id in ids)
