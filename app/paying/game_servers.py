"""Game servers as a source: a plugin as any other, but built in and asked after all others.

Their deliveries hold the events themselves. So do those of a platform that tells of rounds in the same
shape, whose plugin need not say how to fetch them.
"""

from collections.abc import Mapping

from app.porch.hookspecs import hookimpl
from app.porch.rounds import GAME_EVENTS, TYPES, list_game_events
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
