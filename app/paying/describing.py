"""What the plugins know of a player: his balance, what he has."""

from typing import Any

import structlog

from app.database.error_kinds import LOST_CONNECTION, classify_error
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.types import Player

log = structlog.get_logger()


def describe_player(
    plugins: Plugins, database: Database, player: Player, now: int
) -> dict[str, Any]:
    """What the plugins know of a player at `now` (ms); the last registered has the last word, one may fail.

    Raises the database's error where the connection is lost.
    """
    described: dict[str, Any] = {}
    known = {"player": player, "db": database, "settings": plugins.settings, "now": now}

    def merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
        return {name: value for part in parts for name, value in dict(part).items()}

    for answer in plugins.ask_each("describe_player", known, merge):
        if answer.error is None:
            described |= answer.value
        elif classify_error(answer.error) in LOST_CONNECTION:
            raise answer.error
        else:
            log.error("describe_player failed", plugin=answer.plugin, exc_info=answer.error)
    return described
