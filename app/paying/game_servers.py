"""Game servers, and our own rules, as sources: plugins as any other, but built in and asked last.

Their deliveries hold the events themselves. So do those of a platform that tells of rounds in the same
shape, whose plugin need not say how to fetch them.
"""

from collections.abc import Mapping
from typing import Any

from app.counting.occasions import SOURCE, list_events
from app.porch.hookspecs import hookimpl
from app.porch.rounds import GAME_EVENTS, GAME_SERVER, TYPES, list_game_events
from app.porch.types import Delivery, Event, EventType, Http, Settings


class GameServers:
    """Levels and rounds, as events."""

    def __init__(self, are_heard: bool) -> None:
        """`are_heard`: there are API keys, so that game servers can post to /v1/events."""
        self._are_heard = are_heard

    @hookimpl
    def event_types(self, settings: Settings) -> Mapping[str, EventType] | None:
        """What game servers tell of, where any can."""
        return GAME_EVENTS if self._are_heard else None

    @hookimpl
    def fetch_events(
        self, delivery: Delivery, http: Http, settings: Settings
    ) -> list[Event] | None:
        """The events that stand in the delivery."""
        if delivery.type not in TYPES:
            return None
        return list_game_events(delivery.type, delivery.data, delivery.source)


class OwnOccasions:
    """Parties and rankings, which rules make of votes."""

    @hookimpl
    def event_types(self, settings: Settings) -> Mapping[str, EventType]:
        """None that a rule could be on: such an event is paid by the rule that made it."""
        return {}

    @hookimpl
    def fetch_events(
        self, delivery: Delivery, http: Http, settings: Settings
    ) -> list[Event] | None:
        """A round of a party, or a closed ranking, with a part for each of its payees."""
        return list_events(delivery) if delivery.source == SOURCE else None


def make_built_in(are_heard: bool) -> dict[str, Any]:
    """The sources that need no section in the config, by their names; `are_heard` are game servers."""
    return {GAME_SERVER: GameServers(are_heard), SOURCE: OwnOccasions()}
