"""Puts a player's counters in the place of what is kept of him: after rules have changed, or by repair."""

from collections.abc import Collection, Mapping
from typing import Any

from app.counting.state import EVERYBODY, State
from app.counting.writing import write_state
from app.database.opening import Database

OWN = (
    "guerdon_tallies",
    "guerdon_seen",
    "guerdon_streaks",
    "guerdon_limits",
    "guerdon_limit_moments",
)
PLAYERS_AT_ONCE = 200
NO_CAPS: Mapping[str, Any] = {}


def replace_counters(database: Database, players: Collection[str], state: State) -> None:
    """Inside, in the players' turns: `state` is all there is of them."""
    ordered, mark = sorted(players), database.param
    assert EVERYBODY not in ordered  # whose rows are not one player's
    for start in range(0, len(ordered), PLAYERS_AT_ONCE):
        some = ordered[start : start + PLAYERS_AT_ONCE]
        marks = ", ".join([mark] * len(some))
        for table in OWN:
            database.execute_sql(f"DELETE FROM {table} WHERE player_id IN ({marks})", some)
    write_state(database, State(), state, NO_CAPS)
