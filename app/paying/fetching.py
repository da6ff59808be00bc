"""Fetches the events of a delivery from whoever knows them, outside any transaction, and checks them."""

import time
from dataclasses import replace
from typing import Any

from app.config.sections import Players
from app.host.loading import Plugins
from app.metrics.families import FETCH_SECONDS
from app.porch.errors import NotReady, RefusedName
from app.porch.types import Delivery, Event, Http


class Fetcher:
    """Asks the plugins; what is no usable answer makes the delivery wait."""

    def __init__(self, plugins: Plugins, http: Http, players: Players) -> None:
        """`players` says what a nickname may be."""
        self._plugins = plugins
        self._http = http
        self._players = players

    def fetch(self, delivery: Delivery) -> list[Event]:
        """The events of a delivery, the delivery's own first.

        Raises NotReady, RefusedName where nobody may be called so, and what a plugin raises.
        """
        began, result = time.monotonic(), "failed"
        try:
            events = self._fetch(delivery)
            result = "fetched"
            return events
        except NotReady as error:
            result = "refused" if isinstance(error, RefusedName) else "not_ready"
            raise
        finally:
            FETCH_SECONDS[delivery.source, result].observe(time.monotonic() - began)

    def _fetch(self, delivery: Delivery) -> list[Event]:
        facts = {"http": self._http, "settings": self._plugins.settings}
        events = self._plugins.ask("fetch_events", delivery=delivery, **facts).value
        if not events:
            raise NotReady(f"no plugin fetched the events of a {delivery.type}")
        if not isinstance(events, list) or not all(is_event(one) for one in events):
            raise NotReady(f"the plugin for {delivery.source} fetched something else than events")
        first = events[0]
        if (first.source, first.type, first.id) != (delivery.source, delivery.type, delivery.id):
            raise NotReady("the first event fetched is another than the one delivered")
        return [self._check_nickname(event) for event in events]

    def _check_nickname(self, event: Event) -> Event:
        """The event, its nickname trimmed. Raises RefusedName where nobody may be called so."""
        if not isinstance(event.nickname, str) or not event.nickname.strip():
            return event  # the settler says what is wrong with it, or a user id finds its player
        self._players.read_name(event.nickname)
        name = event.nickname.strip()
        return event if name == event.nickname else replace(event, nickname=name)


def is_event(value: Any) -> bool:
    """An Event that has a key."""
    if not isinstance(value, Event):
        return False
    has_names = isinstance(value.source, str) and isinstance(value.type, str)
    return has_names and isinstance(value.id, str)
