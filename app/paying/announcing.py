"""Says that events are settled: in the log, and to the plugins that want to know."""

from collections.abc import Sequence

import structlog

from app.host.loading import Plugins
from app.metrics.families import GRANTS
from app.paying.granting import group_grants
from app.porch.types import Event, Grant

log = structlog.get_logger()


class Announcer:
    """Tells of what is committed already, so nothing that fails here costs anybody anything."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._is_heard = plugins.has("event_settled")

    def announce(self, events: Sequence[Event], grants: Sequence[Grant]) -> None:
        """Each event, with its own grants."""
        for grant in grants:
            GRANTS[grant.reward.kind, grant.rule].inc()
        groups = group_grants(grants)
        for event in events:
            mine = groups[id(event)]
            name = {"event_type": event.type, "event_id": event.id, "server_id": event.server_id}
            log.info("settled", source=event.source, **name, grants=len(mine))
            if self._is_heard:
                self._tell_plugins(event, mine)

    def _tell_plugins(self, event: Event, grants: Sequence[Grant]) -> None:
        facts = {"event": event, "grants": grants, "settings": self._plugins.settings}
        for answer in self._plugins.ask_each("event_settled", facts):
            if answer.error is not None:
                name = {"event_type": event.type, "event_id": event.id}
                told = {"plugin": answer.plugin, "exc_info": answer.error}
                log.error("event_settled failed", **name, **told)
