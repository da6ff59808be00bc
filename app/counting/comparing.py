"""What is kept of players' counters beside what the ledger says: the books that must agree."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from app.counting.state import (
    EVERYBODY,
    KINDS,
    Chain,
    ChainsKey,
    MomentsKey,
    SeenKey,
    State,
    Tally,
    TallyKey,
    Use,
    UseKey,
)
from app.database.opening import Database

PLAYERS_AT_ONCE = 200


def read_kept(database: Database, players: Collection[str]) -> State:
    """All that is kept of these players' counters."""
    state = State()
    for counter, period, player, votes, last_at in ask(
        database, "counter, period, player_id, votes, last_at", "guerdon_tallies", players
    ):
        state.tallies[TallyKey(counter, period, player)] = Tally(votes, last_at)
    for row in ask(database, "counter, period, player_id, thing", "guerdon_seen", players):
        state.seen[SeenKey(*row)] = True
    for counter, player, *said, paid in ask(
        database, "counter, player_id, start, last, length, paid", "guerdon_streaks", players
    ):
        key = ChainsKey(counter, player)
        chain = Chain(said[0], said[1], said[2], json.loads(paid))
        state.chains[key] = tuple(sorted([*state.chains.get(key, ()), chain]))
    for owner, period, player, used, event in ask(
        database, "owner, period, player_id, used, event", "guerdon_limits", players
    ):
        state.uses[UseKey(owner, period, player)] = Use(used, event)
    for owner, player, moment, payments in ask(
        database, "owner, player_id, moment, payments", "guerdon_limit_moments", players
    ):
        key_of = MomentsKey(owner, player)
        moments = [*state.moments.get(key_of, ()), *[moment] * payments]
        state.moments[key_of] = tuple(sorted(moments))
    return state


def ask(
    database: Database, columns: str, table: str, players: Collection[str]
) -> Iterator[Sequence[Any]]:
    ordered = sorted(players)
    for start in range(0, len(ordered), PLAYERS_AT_ONCE):
        some = ordered[start : start + PLAYERS_AT_ONCE]
        marks = ", ".join([database.param] * len(some))
        sql = f"SELECT {columns} FROM {table} WHERE player_id IN ({marks})"
        yield from database.execute_sql(sql, some).fetchall()


def list_differences(kept: State, counted: State) -> list[str]:
    """A sentence for each thing that is kept otherwise than the ledger says."""
    found = []
    for kind in KINDS:
        ours, theirs = getattr(kept, kind), getattr(counted, kind)
        for key in sorted(ours.keys() | theirs.keys()):
            if key.player != EVERYBODY and strip(ours.get(key)) != strip(theirs.get(key)):
                found.append(
                    f"{kind} of the player {key.player} ({' '.join(key)}): kept"
                    f" {describe(ours.get(key))}, by the ledger {describe(theirs.get(key))}"
                )
    return found


def strip(value: Any) -> Any:
    """What has to agree: who used a limit last is told, and not counted by."""
    if isinstance(value, Use):
        return value.amount or None
    return value or None


def describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Tally):
        return str(value.votes)
    if isinstance(value, Use):
        return str(value.amount)
    return str(value)
