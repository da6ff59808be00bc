"""Which events, or which reports, a person means.

The same filter is a search box's text, a command's options, and what is kept of an act for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.history.qualifiers import BadFilter, join_qualifiers, split_qualifiers
from app.history.states import EventState, ReportState
from app.porch.text import format_time, is_unicode, shorten

LONGEST = 255  # characters of a value
OPEN_EVENTS = (EventState.WAITING, EventState.DEAD)
OPEN_REPORTS = (ReportState.WAITING, ReportState.READY, ReportState.LEASED, ReportState.DEAD)
Filter = TypeVar("Filter", bound="EventFilter | ReportFilter")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Events; what is empty, or None, is not asked for.

    `since` and `until` (ms, before the latter) are of when an event was settled, or came where it is open.
    `player` is a nickname, `cause` the name of a Cause. Raises BadFilter for what nothing can match.
    """

    state: EventState | None = None
    type: str = ""
    source: str = ""
    server: str = ""
    player: str = ""
    since: int | None = None
    until: int | None = None
    cause: str = ""

    def __post_init__(self) -> None:
        check_values(self)
        is_open = self.state in OPEN_EVENTS or self.cause
        if is_open and (self.player or self.server):
            raise BadFilter(
                "player and server are known of settled events alone: leave them out, or state and cause"
            )
        if self.cause and self.state is EventState.SETTLED:
            raise BadFilter("a settled event has no cause: leave out cause, or state")

    @property
    def may_be_open(self) -> bool:
        """Whether events that wait, or are dead, can match."""
        return self.state is not EventState.SETTLED and not (self.player or self.server)

    @property
    def may_be_settled(self) -> bool:
        """Whether settled events can match."""
        return self.state in (None, EventState.SETTLED) and not self.cause

    def __str__(self) -> str:
        return join_qualifiers(list_qualifiers(self))


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Reports; as EventFilter. `since` and `until` are of when a report was queued."""

    state: ReportState | None = None
    reporter: str = ""
    kind: str = ""
    since: int | None = None
    until: int | None = None
    cause: str = ""

    def __post_init__(self) -> None:
        check_values(self)
        if self.cause and self.state is ReportState.DELIVERED:
            raise BadFilter("a delivered report has no cause: leave out cause, or state")

    @property
    def is_of_open(self) -> bool:
        """Whether only reports that wait, or are dead, can match."""
        return self.state in OPEN_REPORTS or bool(self.cause)

    def __str__(self) -> str:
        return join_qualifiers(list_qualifiers(self))


def check_values(chosen: EventFilter | ReportFilter) -> None:
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if isinstance(value, str) and (len(value) > LONGEST or not is_unicode(value)):
            raise BadFilter(f"{field.name}: at most {LONGEST} characters, each with a UTF-8")
    if chosen.since is not None and chosen.until is not None and chosen.since >= chosen.until:
        raise BadFilter("until: it must be later than since")


def list_qualifiers(chosen: EventFilter | ReportFilter) -> dict[str, str]:
    """What is asked for, by name, as text."""
    said = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    return {
        name: write_moment(value) if isinstance(value, int) else str(value)
        for name, value in said.items()
        if value not in (None, "")
    }


def parse_event_filter(text: str) -> EventFilter:
    """The filter of a text as `state:dead type:server.vote since:2026-01-01`; "" is of all events.

    A value with a space or a quote in it stands in quotes: player:"Bob the Great". BadFilter says what
    is wrong with the text, and what it may be.
    """
    return read_filter(EventFilter(), split_qualifiers(text, list_names(EventFilter)))


def parse_report_filter(text: str) -> ReportFilter:
    """As parse_event_filter, of a text as `state:dead reporter:sud cause:1f0e6a2b9c3d`."""
    return read_filter(ReportFilter(), split_qualifiers(text, list_names(ReportFilter)))


def list_names(kind: type[EventFilter] | type[ReportFilter]) -> list[str]:
    return [field.name for field in fields(kind)]


def read_filter(empty: Filter, said: Mapping[str, str]) -> Filter:
    """A filter of values as text by name, as an address or a form has them; empty ones say nothing."""
    states = EventState if isinstance(empty, EventFilter) else ReportState
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name == "state" and value:
            values[name] = read_state(value, states)
        elif value:
            values[name] = read_moment(name, value) if name in ("since", "until") else value
    return replace(empty, **values)


def read_state(value: str, states: type[EventState] | type[ReportState]) -> Any:
    try:
        return states(value)
    except ValueError:
        raise BadFilter(f"state: {shorten(value)} is none: {', '.join(states)}") from None


def read_moment(name: str, value: str) -> int:
    """The time (ms) of a day or a moment as ISO 8601 writes it; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ms = round(moment.timestamp() * 1000)
        if format_time(ms) is None:
            raise OverflowError
    except (ValueError, OverflowError):
        raise BadFilter(
            f"{name}: {shorten(value)} is no time: 2026-01-31, 2026-01-31T18:30 or"
            " 2026-01-31T18:30:00Z, in UTC"
        ) from None
    return ms


def write_moment(ms: int) -> str:
    """A time (ms) as short as it can be said."""
    return str(format_time(ms)).replace(".000Z", "Z").replace("T00:00:00Z", "")
