"""The turn: two payments for one player never run at the same time, on any host.

So what a plugin reads inside, it may change and save. Each transaction that pays changes a row of
every player whom it pays, before a plugin is asked for a reward. On one server whoever comes second
waits for that row; in a Galera cluster the two meet at COMMIT, and one runs again. There only a
change counts, so a version is raised: a lock, or a write of what stands there already, holds nobody.
Under READ COMMITTED whatever is read after that is what the payment before has left.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence

from app.database.opening import Database

ROWS_AT_ONCE = 1000
# Whose counters were up to date stays so, if the same are counted now.
STAYS = "CASE WHEN counted = version AND counters = '{counters}' THEN version + 1 ELSE 0 END"
CONFLICT = {"mysql": "ON DUPLICATE KEY UPDATE", "sqlite": "ON CONFLICT (id) DO UPDATE SET"}


def take_turns(database: Database, players: Iterable[str]) -> None:
    """Inside: nobody else pays one of these players, by their keys, until our transaction has ended.

    The rows are taken in one order by everybody, so that no two transactions wait for each other.
    Whose counters were up to date are so no more. SQLite lets one transaction pay at a time; there the rows
    tell only that, and are made once somebody counts.
    """
    for some in cut(sorted({make_turn(player) for player in players})):
        if database.family == "sqlite":
            rows = ", ".join([f"({turn})" for turn in some])
            database.execute_sql(
                f"INSERT INTO guerdon_turns (id, version) SELECT column1, 1 FROM (VALUES {rows})"
                " WHERE EXISTS (SELECT 1 FROM guerdon_turns)"
                " ON CONFLICT (id) DO UPDATE SET version = version + 1"
            )
        else:
            leave_stale(database, some)


def leave_stale(database: Database, turns: Sequence[int]) -> None:
    """Inside: as take_turns, for sorted numbers of rows; a row is made where there is none."""
    rows = ", ".join([f"({turn}, 1)" for turn in turns])
    database.execute_sql(
        f"INSERT INTO guerdon_turns (id, version) VALUES {rows}"
        f" {CONFLICT[database.family]} version = version + 1"
    )


def take_counted_turns(database: Database, players: Collection[str], counters: str) -> list[str]:
    """Inside: as take_turns, by who counts what has this fingerprint; whose counters are not up to date.

    Whoever has no row yet is not up to date either: on SQLite rows are made once somebody counts, and what
    was paid before stands in the ledger all the same.
    """
    by_turn: dict[int, list[str]] = {}
    for player in players:
        by_turn.setdefault(make_turn(player), []).append(player)
    stale: list[str] = []
    for some in cut(sorted(by_turn)):
        rows = ", ".join([f"({turn}, 1, 0, '{counters}')" for turn in some])
        # The database reads `version` as it was in both: what is set first is named first.
        sql = (
            f"INSERT INTO guerdon_turns (id, version, counted, counters) VALUES {rows}"
            f" {CONFLICT[database.family]} counted = {STAYS.format(counters=counters)},"
            " version = version + 1"
        )
        if database.returns_rows:
            found = database.execute_sql(f"{sql} RETURNING id, version, counted").fetchall()
        else:
            database.execute_sql(sql)
            ids = ", ".join(map(str, some))
            found = database.execute_sql(
                f"SELECT id, version, counted FROM guerdon_turns WHERE id IN ({ids})"
            ).fetchall()
        for turn, version, counted in found:
            if counted != version:
                stale += by_turn[turn]
    return stale


def list_stale(database: Database, players: Iterable[str], counters: str) -> list[str]:
    """Those of these players who were paid since without being counted, or never took a turn."""
    by_turn: dict[int, list[str]] = {}
    for player in players:
        by_turn.setdefault(make_turn(player), []).append(player)
    stale: list[str] = []
    for some in cut(sorted(by_turn)):
        rows = database.execute_sql(
            "SELECT id FROM guerdon_turns WHERE counted = version"
            f" AND counters = '{counters}' AND id IN ({', '.join(map(str, some))})"
        ).fetchall()
        fresh = {row[0] for row in rows}
        stale += [player for turn in some if turn not in fresh for player in by_turn[turn]]
    return stale


def note_counted(database: Database, players: Iterable[str], counters: str) -> None:
    """Inside, in their turns: their counters are what the ledger says."""
    for some in cut(sorted({make_turn(player) for player in players})):
        database.execute_sql(
            f"UPDATE guerdon_turns SET counted = version, counters = '{counters}'"
            f" WHERE id IN ({', '.join(map(str, some))})"
        )


def cut(turns: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(turns), ROWS_AT_ONCE):
        yield turns[start : start + ROWS_AT_ONCE]


def make_turn(player: str) -> int:
    """The number of a player's row: 63 bits of a hash of his key, which may be text of any length.

    Every database orders numbers as we do, whatever its collation. Two players of one number, which
    is one pair in billions, wait for each other and take no harm.
    """
    key = player.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) >> 1
