"""The turn: two payments for one player never run at the same time, on any host.

So what a plugin reads inside, it may change and save. Each transaction that pays changes a row of
every player whom it pays, before a plugin is asked for a reward. On one server whoever comes second
waits for that row; in a Galera cluster the two meet at COMMIT, and one runs again. There only a
change counts, so a version is raised: a lock, or a write of what stands there already, holds nobody.
Under READ COMMITTED whatever is read after that is what the payment before has left.
"""

import hashlib
from collections.abc import Iterable

from app.database.opening import Database
from app.porch.types import Player

ROWS_AT_ONCE = 1000


def take_turns(database: Database, players: Iterable[Player]) -> None:
    """Inside: nobody else pays one of these players until our transaction has ended.

    The rows are taken in one order by everybody, so that no two transactions wait for each other.
    SQLite needs none: BEGIN IMMEDIATE lets one transaction pay at a time.
    """
    if database.family == "sqlite":
        return
    turns = sorted({make_turn(player) for player in players})
    for start in range(0, len(turns), ROWS_AT_ONCE):
        rows = ", ".join([f"({turn}, 1)" for turn in turns[start : start + ROWS_AT_ONCE]])
        database.execute_sql(
            f"INSERT INTO guerdon_turns (id, version) VALUES {rows}"
            " ON DUPLICATE KEY UPDATE version = version + 1"
        )


def make_turn(player: Player) -> int:
    """The number of a player's row: 63 bits of a hash of his key, which may be text of any length.

    Every database orders numbers as we do, whatever its collation. Two players of one number, which
    is one pair in billions, wait for each other and take no harm.
    """
    key = player.key.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) >> 1
