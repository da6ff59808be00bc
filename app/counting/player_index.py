"""The ledger's index by player: made by `guerdon migrate` once rules count.

Each vote pays for an index, some 10 us on SQLite; where every event decides alone, nobody counts a player
anew, and what he voted for is found by what it gave him.
"""

from collections.abc import Iterator

from app.database.opening import Database

TABLE = "guerdon_events"
NAME = "event_player_id_id"
COLUMNS = ["player_id", "id"]


def has_player_index(database: Database) -> bool:
    """Whether the ledger finds a player's events by itself."""
    return any(index.columns == COLUMNS for index in database.get_indexes(TABLE))


def add_player_index(database: Database) -> Iterator[str]:
    """Make it where it is missing, and name it; it takes as long as a large ledger needs."""
    if not has_player_index(database):
        database.execute_sql(f"CREATE INDEX {NAME} ON {TABLE} ({', '.join(COLUMNS)})")
        yield f"index {TABLE} ({', '.join(COLUMNS)})"
