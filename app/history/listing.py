"""Lists of events and of reports by a filter, page by page, the newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.counting.player_index import has_player_index
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history.filters import EventFilter, ReportFilter
from app.history.fingerprints import name_cause
from app.history.pages import (
    HIGHEST,
    LOOK_THROUGH,
    Conditions,
    Page,
    Stretch,
    list_open_ids,
    read_number,
    read_stretch,
    walk_ids,
)
from app.history.qualifiers import BadFilter
from app.history.states import EventState, ReportState
from app.porch.text import format_time, shorten
from app.porch.types import Player

OPEN_COLUMNS = (
    "id, state, source, type, event_id, received_at, last_error, attempts, due_at, waiting_since"
)
SETTLED_COLUMNS = "id, source, type, event_id, settled_at, server_id, nickname, user_id"
REPORT_COLUMNS = "id, state, reporter, kind, `key`, created_at, last_error, sends, due_at, event"
OPEN, SETTLED = "open", "settled"  # which table a place in the list of events is in
OPEN_COSTS = (
    4  # times as much as a settled row: it is read by its id, and what its error says is found out
)
STATES_MEANT = {
    None: (*ON_THEIR_WAY, BoxState.DEAD),
    EventState.WAITING: ON_THEIR_WAY,
    EventState.DEAD: (BoxState.DEAD,),
    ReportState.WAITING: ON_THEIR_WAY,
}


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event in a list. Times in ms: `at` it was settled, or came where it is open."""

    row: int
    state: EventState
    source: str
    type: str
    id: str
    at: int
    server: str = ""
    nickname: str = ""
    user_id: str = ""
    last_error: str = ""
    attempts: int = 0
    next_try_at: int | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        told = {name: getattr(self, name) or None for name in
                ("server", "nickname", "user_id", "last_error")}  # fmt: skip
        return {
            "state": self.state, "source": self.source, "type": self.type, "id": self.id,
            "at": format_time(self.at), **told, "next_try_at": format_time(self.next_try_at),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedReport:
    """A report in a list; times in ms, `event` is the row of the event that caused it."""

    id: int
    state: BoxState
    reporter: str
    kind: str
    key: str
    created_at: int
    last_error: str
    sends: int
    next_send_at: int | None
    event: int

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id, "state": self.state, "reporter": self.reporter, "kind": self.kind,
            "key": self.key, "created_at": format_time(self.created_at), "sends": self.sends,
            "last_error": self.last_error or None, "next_send_at": format_time(self.next_send_at),
        }  # fmt: skip


class Lists:
    """Reads alone, on the connection of its thread or one that it gives back."""

    def __init__(self, database: Database, find_player: Callable[[str], Player | None]) -> None:
        """`find_player` gives the player of a nickname; None where there is none."""
        self._database = database
        self._find_player = find_player

    def list_events(
        self,
        chosen: EventFilter,
        before: str | None = None,
        limit: int = 50,
        look_through: int = LOOK_THROUGH,
    ) -> Page[ListedEvent]:
        """A page of events: first those that wait or are dead, then the settled; each the newest first.

        `before` is `next` of the page before it; a page looks through `look_through` rows at most. Raises
        BadFilter for a place that is none and a player whom nobody knows, and what finding one raises.
        """
        box, id = read_place(before)
        rows: list[ListedEvent] = []
        with self._database.connection_context():
            if box == OPEN and chosen.may_be_open:
                found = self._walk_open_events(chosen, id, limit, look_through)
                rows += map(make_open_event, found.rows)
                if found.next is not None:
                    return Page(tuple(rows), f"{OPEN}:{found.next}", found.is_cut)
            if not chosen.may_be_settled:
                return Page(tuple(rows))
            id = id if box == SETTLED else HIGHEST
            if len(rows) == limit:
                return Page(tuple(rows), f"{SETTLED}:{id}")
            found = self._read_settled(chosen, id, limit - len(rows), look_through)
        rows += map(make_settled_event, found.rows)
        next = None if found.next is None else f"{SETTLED}:{found.next}"
        return Page(tuple(rows), next, found.is_cut)

    def _walk_open_events(self, chosen: EventFilter, before: int, limit: int, most: int) -> Stretch:
        states = STATES_MEANT[chosen.state]
        in_states = Conditions(self._database).among("state", states)
        most = max(limit, most // OPEN_COSTS)
        ids = list_open_ids(self._database, "guerdon_inbox", in_states, before, most)
        wanted = want_open_events(self._database, chosen).among("state", states)

        select = f"SELECT {OPEN_COLUMNS} FROM guerdon_inbox"
        has_cause = partial(is_of_cause, chosen.cause)
        return walk_ids(self._database, select, ids, wanted, has_cause, limit, most)

    def _read_settled(self, chosen: EventFilter, before: int, limit: int, most: int) -> Stretch:
        wanted = Conditions(self._database).add("type", "=", chosen.type)
        wanted.add("source", "=", chosen.source).add("server_id", "=", chosen.server)
        wanted.within("settled_at", chosen.since, chosen.until)
        select = f"SELECT {SETTLED_COLUMNS} FROM guerdon_events"
        if chosen.player:
            ids = self._list_events_of(self._find_key(chosen.player), before, most)
            return walk_ids(self._database, select, ids, wanted, lambda row: True, limit, most)
        span = chosen.since, chosen.until
        return read_stretch(
            self._database, select, "guerdon_events", "settled_at", wanted, span, before, limit,
            most,
        )  # fmt: skip

    def _find_key(self, nickname: str) -> str:
        player = self._find_player(nickname)
        if player is None:
            raise BadFilter(f"player: no player is called {shorten(nickname)}")
        return player.key

    def _list_events_of(self, player: str, before: int, most: int) -> list[int]:
        """A player's events below `before`; where they are not found by themselves, those that paid him."""
        of_player = ("guerdon_events", "id")
        if not has_player_index(self._database):
            of_player = ("guerdon_grants", "event")
        table, column = of_player
        mark = self._database.param
        sql = (
            f"SELECT DISTINCT {column} FROM {table} WHERE player_id = {mark} AND {column} < {mark}"
            f" ORDER BY {column} DESC LIMIT {most + 1}"
        )
        rows: Any = self._database.execute_sql(sql, (player, before)).fetchall()
        return [row[0] for row in rows]

    def list_reports(
        self,
        chosen: ReportFilter,
        before: str | None = None,
        limit: int = 50,
        look_through: int = LOOK_THROUGH,
    ) -> Page[ListedReport]:
        """A page of reports, the newest first; as list_events."""
        id = read_number(before)
        select = f"SELECT {self._quote(REPORT_COLUMNS)} FROM guerdon_reports"
        with self._database.connection_context():
            if chosen.is_of_open:
                found = self._walk_open_reports(select, chosen, id, limit, look_through)
            else:
                wanted = want_reports(self._database, chosen).add("state", "=", chosen.state)
                span = chosen.since, chosen.until
                found = read_stretch(
                    self._database, select, "guerdon_reports", "created_at", wanted, span, id, limit,
                    look_through,
                )  # fmt: skip
        rows = tuple(map(make_report, found.rows))
        return Page(rows, None if found.next is None else str(found.next), found.is_cut)

    def _walk_open_reports(
        self, select: str, chosen: ReportFilter, before: int, limit: int, most: int
    ) -> Stretch:
        states = STATES_MEANT.get(chosen.state, (chosen.state,))
        in_states = Conditions(self._database).among("state", states)
        in_states.add("reporter", "=", chosen.reporter)
        most = max(limit, most // OPEN_COSTS)
        ids = list_open_ids(self._database, "guerdon_reports", in_states, before, most)
        wanted = want_reports(self._database, chosen).among("state", states)

        has_cause = partial(is_of_cause, chosen.cause)
        return walk_ids(self._database, select, ids, wanted, has_cause, limit, most)

    def _quote(self, columns: str) -> str:
        return columns.replace("`", self._database.quote[0])


def is_of_cause(cause: str, row: Any) -> bool:
    """Of a row with its source, or reporter, and its error where both lists of columns have them."""
    return not cause or cause == name_cause(row[2], row[6])


def is_open_as(states: Sequence[str], cause: str, row: Any) -> bool:
    """Asked here: a database told ids and states may take the index of states, and read all that is open."""
    return row[1] in states and is_of_cause(cause, row)


def want_open_events(database: Database, chosen: EventFilter) -> Conditions:
    """What a filter wants of a row of the inbox, but for its state and its cause."""
    wanted = Conditions(database).add("type", "=", chosen.type).add("source", "=", chosen.source)
    return wanted.within("received_at", chosen.since, chosen.until)


def want_reports(database: Database, chosen: ReportFilter) -> Conditions:
    """What a filter wants of a report, but for its state and its cause."""
    wanted = Conditions(database).add("reporter", "=", chosen.reporter)
    return wanted.add("kind", "=", chosen.kind).within("created_at", chosen.since, chosen.until)


def make_open_event(row: Any) -> ListedEvent:
    id, state, source, type, event_id, received_at, last_error, attempts, due_at, since = row
    is_dead = state == BoxState.DEAD
    return ListedEvent(
        id, EventState.DEAD if is_dead else EventState.WAITING, source, type, event_id, received_at,
        last_error=last_error, attempts=attempts,
        next_try_at=None if is_dead else max(due_at, since),
    )  # fmt: skip


def make_settled_event(row: Any) -> ListedEvent:
    id, source, type, event_id, settled_at, server, nickname, user_id = row
    return ListedEvent(
        id, EventState.SETTLED, source, type, event_id, settled_at, server, nickname, user_id
    )


def make_report(row: Any) -> ListedReport:
    id, state, reporter, kind, key, created_at, last_error, sends, due_at, event = row
    return ListedReport(
        id, BoxState(state), reporter, kind, key, created_at, last_error, sends,
        due_at if state in ON_THEIR_WAY else None, event,
    )  # fmt: skip


def read_place(before: str | None) -> tuple[str, int]:
    """Which part of the list of events a page begins in, and before which row of it."""
    if before is None:
        return OPEN, HIGHEST
    box, _, id = before.partition(":")
    if box not in (OPEN, SETTLED):
        raise BadFilter(
            f"before: {shorten(before)} is no place in this list: take `next` of a page"
        )
    return box, read_number(id)
