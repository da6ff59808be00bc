"""Where the key of a player is what he is called, the rows that know him by it get another, all at once.

So counters, limits and streaks are still one player's, and nobody else's.
"""

from collections import Counter

from app.counting.player_index import has_player_index
from app.database.opening import Database
from app.paying.turns import make_turn
from app.privacy.person import Person
from app.privacy.searching import Found, join_ids

COUNTED = (
    "guerdon_tallies", "guerdon_seen", "guerdon_streaks", "guerdon_limits", "guerdon_limit_moments",
    "guerdon_party_votes",
)  # fmt: skip


def change_keys(database: Database, person: Person, found: Found) -> "Counter[str]":
    """Inside: put the new key in the place of each old one; how many counters it was."""
    counts: Counter[str] = Counter()
    if person.new_key is None:
        return counts
    mark = database.param
    events = f"id IN ({join_ids(found.events)})" if found.events else "1 = 0"
    for key in sorted(person.keys):
        for table in COUNTED:
            sql = f"UPDATE {table} SET player_id = {mark} WHERE player_id = {mark}"
            counts["counters"] += database.execute_sql(sql, (person.new_key, key)).rowcount
        for table in ("guerdon_grants", "guerdon_claims"):
            database.execute_sql(
                f"UPDATE {table} SET player_id = {mark} WHERE player_id = {mark}",
                (person.new_key, key),
            )
        where = "" if has_player_index(database) else f" AND {events}"
        sql = f"UPDATE guerdon_events SET player_id = {mark} WHERE player_id = {mark}{where}"
        database.execute_sql(sql, (person.new_key, key))
        move_turn(database, key, person.new_key)
    return counts


def move_turn(database: Database, old: str, new: str) -> None:
    """Inside: what is known of how well a player is counted."""
    before, after = make_turn(old), make_turn(new)
    database.execute_sql(f"DELETE FROM guerdon_turns WHERE id = {after}")
    database.execute_sql(f"UPDATE guerdon_turns SET id = {after} WHERE id = {before}")
