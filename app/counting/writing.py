"""Writes what a batch has moved: a statement a table, in one order for everybody.

A player's rows are written as they are now: whoever pays him has his turn. What all share grows by a
conditional update, so that a limit is never passed, on no number of hosts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.counting.needs import place_lock
from app.counting.reading import NOTHING
from app.counting.state import EVERYBODY, Chain, ChainsKey, PartyVote, State, Use, UseKey
from app.database.counter_models import ChainRow, MomentRow, SeenRow, TallyRow, UseRow
from app.database.opening import Database
from app.database.statements import ROWS_AT_ONCE, insert_sql
from app.database.upserting import upsert_rows
from app.porch.errors import GuerdonError

LONGEST_EVENT = 330  # characters


class CounterRaced(GuerdonError):
    """Somebody else used up meanwhile what this transaction counted on: it is run again."""


def write_state(database: Database, before: State, after: State, caps: Mapping[str, int]) -> None:
    """Inside: all that has changed since `before`. `caps`: how much each shared owner has at most.

    Raises CounterRaced where a shared counter has moved so far that what was decided does not hold.
    """
    write_tallies(database, before, after)
    write_seen(database, before, after)
    write_chains(database, before, after)
    write_moments(database, before, after)
    write_uses(database, before, after, caps)


def list_changes(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(
        ((key, value) for key, value in after.items() if before.get(key) != value),
        key=lambda change: change[0],
    )


def set_rows(
    database: Database, model: Any, rows: Iterable[Mapping[str, Any]], changed: Iterable[str]
) -> None:
    """Insert these rows; where one is there, set what may have changed."""
    key = [field.column_name for field in model._meta.get_primary_keys()]
    listed = list(rows)
    if listed:
        upsert_rows(database, model, key, listed, dict.fromkeys(changed, "{new}"))


def write_tallies(database: Database, before: State, after: State) -> None:
    changes = list_changes(before.tallies, after.tallies)
    rows = [
        {"counter": key.counter, "period": key.period, "player_id": key.player,
         "votes": tally.votes, "last_at": tally.last_at}
        for key, tally in changes
    ]  # fmt: skip
    set_rows(database, TallyRow, rows, ("votes", "last_at"))


def write_seen(database: Database, before: State, after: State) -> None:
    changes = list_changes(before.seen, after.seen)
    rows = [
        {"player_id": key.player, "counter": key.counter, "period": key.period, "thing": key.thing}
        for key, _ in changes
    ]  # fmt: skip
    set_rows(database, SeenRow, rows, ("thing",))


def write_chains(database: Database, before: State, after: State) -> None:
    rows = []
    for key, chains in list_changes(before.chains, after.chains):
        old = before.chains.get(key, ())
        starts = {chain.start for chain in chains}
        remove_chains(database, key, [one.start for one in old if one.start not in starts])
        rows += [
            {"player_id": key.player, "counter": key.counter, "start": chain.start,
             "last": chain.last, "length": chain.length, "paid": dump_paid(chain)}
            for chain in chains if chain not in old
        ]  # fmt: skip
    set_rows(database, ChainRow, rows, ("last", "length", "paid"))


def dump_paid(chain: Chain) -> str:
    return json.dumps(dict(chain.paid)) if chain.paid else NOTHING


def remove_chains(database: Database, key: ChainsKey, starts: list[int]) -> None:
    """What became part of another chain."""
    mark = database.param
    for start in starts:
        database.execute_sql(
            f"DELETE FROM guerdon_streaks WHERE player_id = {mark} AND counter = {mark}"
            f" AND start = {mark}",
            (key.player, key.counter, start),
        )


def write_moments(database: Database, before: State, after: State) -> None:
    rows = []
    for key, moments in list_changes(before.moments, after.moments):
        old = before.moments.get(key, ())
        for moment in sorted(set(moments)):
            if moments.count(moment) != old.count(moment):
                rows.append({"player_id": key.player, "owner": key.owner, "moment": moment,
                             "payments": moments.count(moment)})  # fmt: skip
        if key.player == EVERYBODY:
            lock = place_lock(key.owner)
            raise_lock(database, lock, before.uses.get(lock))
    set_rows(database, MomentRow, rows, ("payments",))


def raise_lock(database: Database, lock: UseKey, seen: Use | None) -> None:
    """Nobody else has added a moment of everybody since we have read them."""
    mark = database.param
    if seen is None:
        columns = ("player_id", "owner", "period")
        upsert_rows(database, UseRow, columns, [make_use(lock, Use())], {"used": "{old}"})
    changed = database.execute_sql(
        f"UPDATE guerdon_limits SET used = used + 1 WHERE player_id = '' AND owner = {mark}"
        f" AND period = {mark} AND used = {mark}",
        (lock.owner, lock.period, seen.amount if seen else 0),
    ).rowcount
    if not changed:
        raise CounterRaced("somebody else was paid meanwhile")


def write_party_votes(database: Database, votes: Sequence[tuple[int, PartyVote]]) -> None:
    """Votes, with the rows of their events, for a folder to take into rounds."""
    columns = ("party", "event", "period", "player_id", "counted_at")
    for start in range(0, len(votes), ROWS_AT_ONCE):
        some = votes[start : start + ROWS_AT_ONCE]
        sql = insert_sql("guerdon_party_votes", columns, len(some), database.param)
        rows = [(one.party, row, one.period, one.player, one.moment) for row, one in some]
        database.execute_sql(sql, [value for row in rows for value in row])


def write_uses(database: Database, before: State, after: State, caps: Mapping[str, int]) -> None:
    changes = list_changes(before.uses, after.uses)
    own = [(key, use) for key, use in changes if key.player != EVERYBODY]
    rows = [make_use(key, use) for key, use in own]
    set_rows(database, UseRow, rows, ("used", "event"))
    shared = [(key, use) for key, use in changes if key.player == EVERYBODY]
    new = [make_use(key, Use()) for key, _ in shared if key not in before.uses]
    if new:  # on two nodes at once too: the second changes nothing, and the update below decides
        columns = ("player_id", "owner", "period")
        upsert_rows(database, UseRow, columns, new, {"used": "{old}"})
    for key, use in shared:
        raise_use(database, key, use, use.amount - before.uses.get(key, Use()).amount, caps)


def make_use(key: UseKey, use: Use) -> dict[str, Any]:
    return {"player_id": key.player, "owner": key.owner, "period": key.period,
            "used": use.amount, "event": use.event[:LONGEST_EVENT]}  # fmt: skip


def raise_use(
    database: Database, key: UseKey, use: Use, more: int, caps: Mapping[str, int]
) -> None:
    """Use up `more` of what all share, if there is so much left."""
    mark = database.param
    changed = database.execute_sql(
        f"UPDATE guerdon_limits SET used = used + {mark}, event = {mark} WHERE player_id = ''"
        f" AND owner = {mark} AND period = {mark} AND used + {mark} <= {mark}",
        (more, use.event[:LONGEST_EVENT], key.owner, key.period, more, caps[key.owner]),
    ).rowcount
    if not changed:
        raise CounterRaced(f"{key.period} is used up")
