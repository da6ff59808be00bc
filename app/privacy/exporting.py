"""Everything that is kept of a player, as one JSON document that is written while it is read."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from app.database.opening import Database
from app.history.acts import note_act
from app.history.qualifiers import join_qualifiers
from app.host.loading import Plugins
from app.paying.describing import describe_player
from app.porch.types import Player
from app.privacy.acts import PLAYER
from app.privacy.person import Person
from app.privacy.searching import Found, join_ids

EXPORT = "export player"
ROWS_AT_ONCE = 200
COUNTERS = (
    "guerdon_tallies", "guerdon_seen", "guerdon_streaks", "guerdon_limits", "guerdon_limit_moments",
    "guerdon_party_votes",
)  # fmt: skip
AS_JSON = frozenset(
    ("data", "verdicts", "params", "receipt", "payload", "paid", "response", "body")
)
HIDDEN = frozenset(("lease_token", "ordered_key", "report_key"))  # they say nothing of him

Part = tuple[str, Iterable[Any]]


class Exporter:
    """Writes what a search has found."""

    def __init__(self, database: Database, plugins: Plugins, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._now = now

    def write(self, player: Player | None, person: Person, found: Found) -> Iterator[str]:
        """The document in lines of ASCII; inside a connection. Rounds with others are named, not told."""
        head: dict[str, Any] = {"names": sorted(person.names), "user_ids": sorted(person.ids)}
        if player:
            told = describe_player(self._plugins, self._database, player, self._now())
            head["player"] = {"id": player.key, "nickname": player.nickname, **told}
        yield "{" + ", ".join(f"{dump(name)}: {dump(value)}" for name, value in head.items())
        for name, values in self._list_parts(player, person, found):
            yield f", {dump(name)}: ["
            for number, value in enumerate(values):
                yield f" {',' if number else ''}{dump(value)}"
            yield "]"
        yield "}"

    def _list_parts(self, player: Player | None, person: Person, found: Found) -> Iterator[Part]:
        """Each part by its name; a part is read when it is written."""
        events, whole = found.events, [*found.events, *found.mentions]
        yield "events", self._read("guerdon_events", "id", events)
        yield "grants", self._read("guerdon_grants", "id", found.grants)
        yield "repayments", self._read("guerdon_repayments", "event", events)
        yield "claims", self._read("guerdon_claims", "id", found.claims)
        yield "inbox", self._read_inbox(events, found.inbox)
        yield "attempts", self._read_attempts(events, found.inbox)
        yield "reports", self._read("guerdon_reports", "event", events)
        yield "sends", self._read_sends(events)
        yield "named_in", ({"event": id} for id in sorted(set(whole) - set(events)))
        for table in COUNTERS:
            yield table.removeprefix("guerdon_"), self._read_counters(table, person)
        yield from self._ask_plugins(player)

    def _ask_plugins(self, player: Player | None) -> Iterator[Part]:
        """What plugins' own tables have; a fault of one is said in its place."""
        facts = {"player": player, "db": self._database, "settings": self._plugins.settings}
        for answer in self._plugins.ask_each("export_player", facts) if player else ():
            name = f"plugin {answer.plugin}"
            if answer.error:
                yield name, [{"error": f"it could not tell: {type(answer.error).__name__}"}]
                continue
            for part in answer.value:
                for key, values in dict(part).items():
                    yield f"{name}: {key}", values

    def _read(self, table: str, column: str, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Rows of a table, some ids at a time."""
        for start in range(0, len(ids), ROWS_AT_ONCE):
            listed = join_ids(ids[start : start + ROWS_AT_ONCE])
            yield from self._ask(f"SELECT * FROM {table} WHERE {column} IN ({listed}) ORDER BY 1")

    def _read_inbox(self, events: Sequence[int], waiting: Sequence[int]) -> Iterator[Any]:
        yield from self._read_by_key("guerdon_inbox", "guerdon_events", events)
        yield from self._read("guerdon_inbox", "id", waiting)

    def _read_attempts(self, events: Sequence[int], waiting: Sequence[int]) -> Iterator[Any]:
        yield from self._read_by_key("guerdon_attempts", "guerdon_events", events)
        yield from self._read_by_key("guerdon_attempts", "guerdon_inbox", waiting)

    def _read_by_key(self, table: str, other: str, ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The rows with the keys of those of another table."""
        for start in range(0, len(ids), ROWS_AT_ONCE):
            listed = join_ids(ids[start : start + ROWS_AT_ONCE])
            keys = f"SELECT ordered_key FROM {other} WHERE id IN ({listed})"
            yield from self._ask(f"SELECT * FROM {table} WHERE ordered_key IN ({keys}) ORDER BY id")

    def _read_sends(self, events: Sequence[int]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(events), ROWS_AT_ONCE):
            listed = join_ids(events[start : start + ROWS_AT_ONCE])
            reports = f"SELECT id FROM guerdon_reports WHERE event IN ({listed})"
            yield from self._ask(
                f"SELECT * FROM guerdon_sends WHERE report IN ({reports}) ORDER BY id"
            )

    def _read_counters(self, table: str, person: Person) -> Iterator[dict[str, Any]]:
        for key in sorted(person.keys):
            yield from self._ask(
                f"SELECT * FROM {table} WHERE player_id = {self._database.param}", [key]
            )

    def _ask(self, sql: str, params: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        cursor = self._database.execute_sql(sql, list(params))
        columns = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            said = zip(columns, row, strict=True)
            yield {name: show(name, value) for name, value in said if name not in HIDDEN}


def note_export(database: Database, nickname: str, person: str, now: int) -> None:
    """Keep that this person has everything of a player handed out; now in ms."""
    note_act(database, person, EXPORT, join_qualifiers({PLAYER: nickname}), 1, now)


def show(name: str, value: Any) -> Any:
    """A column's value as JSON; what is JSON in it stands as such."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if name in AS_JSON and isinstance(value, str) and value:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")
