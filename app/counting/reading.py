"""Reads what a batch needs to know of the counters: a statement or two a table, whatever its size."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.counting.needs import Needs
from app.counting.state import (
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

PLAYERS_AT_ONCE = 300
PARTS_AT_ONCE = 50  # selects in one statement; SQLite allows 500


def read_state(database: Database, needs: Needs) -> State:
    """Inside: the counters of these needs, as the payments before have left them."""
    state = State()
    for row in read_tallies(database, needs):
        state.tallies[TallyKey(row[0], row[1], row[2])] = Tally(row[3], row[4])
    for row in read_seen(database, needs):
        state.seen[SeenKey(*row)] = True
    for key, chains in read_chains(database, needs).items():
        state.chains[key] = tuple(sorted(chains))
    for row in read_uses(database, needs):
        state.uses[UseKey(row[0], row[1], row[2])] = Use(row[3], row[4])
    for moments, some in read_moments(database, needs).items():
        state.moments[moments] = tuple(sorted(some))
    return state


def read_tallies(database: Database, needs: Needs) -> Iterator[Sequence[Any]]:
    select = "SELECT counter, period, player_id, votes, last_at FROM guerdon_tallies"
    return ask_pairs(database, select, "counter", needs.tallies.items())


def read_seen(database: Database, needs: Needs) -> Iterator[Sequence[Any]]:
    select = "SELECT counter, period, player_id, thing FROM guerdon_seen"
    wanted = [(place, needs.tallies[place]) for place in needs.sites]
    return ask_pairs(database, select, "counter", wanted)


def read_uses(database: Database, needs: Needs) -> Iterator[Sequence[Any]]:
    select = "SELECT owner, period, player_id, used, event FROM guerdon_limits"
    return ask_pairs(database, select, "owner", needs.uses.items())


def ask_pairs(
    database: Database,
    select: str,
    column: str,
    wanted: Iterable[tuple[tuple[str, str], Iterable[str]]],
) -> Iterator[Sequence[Any]]:
    """The rows of these players under each (counter, period)."""
    mark = database.param
    parts: list[tuple[str, list[str]]] = []
    for (name, period), players in wanted:
        ordered = sorted(players)
        for start in range(0, len(ordered), PLAYERS_AT_ONCE):
            some = ordered[start : start + PLAYERS_AT_ONCE]
            marks = ", ".join([mark] * len(some))
            where = f"{column} = {mark} AND period = {mark} AND player_id IN ({marks})"
            parts.append((f"{select} WHERE {where}", [name, period, *some]))
    for start in range(0, len(parts), PARTS_AT_ONCE):
        group = parts[start : start + PARTS_AT_ONCE]
        sql = " UNION ALL ".join([part for part, _ in group])
        yield from database.execute_sql(sql, [one for _, params in group for one in params])


def read_chains(database: Database, needs: Needs) -> dict[ChainsKey, list[Chain]]:
    """The chains that periods of the needs could go on, or lie in."""
    found: dict[ChainsKey, list[Chain]] = {}
    select = "SELECT player_id, start, last, length, paid FROM guerdon_streaks"
    for name, spans in needs.chains.items():
        for row in ask_spans(database, select, "counter", name, "last", "start", spans):
            chain = Chain(row[1], row[2], row[3], json.loads(row[4]))
            found.setdefault(ChainsKey(name, row[0]), []).append(chain)
    return found


def read_moments(database: Database, needs: Needs) -> dict[MomentsKey, list[int]]:
    found: dict[MomentsKey, list[int]] = {}
    select = "SELECT player_id, moment, payments FROM guerdon_limit_moments"
    for name, spans in needs.moments.items():
        for row in ask_spans(database, select, "owner", name, "moment", "moment", spans):
            found.setdefault(MomentsKey(name, row[0]), []).extend([row[1]] * row[2])
    return found


def ask_spans(
    database: Database,
    select: str,
    column: str,
    name: str,
    ends: str,
    begins: str,
    spans: dict[str, tuple[int, int]],
) -> Iterator[Sequence[Any]]:
    """The rows under a name, of these players, that lie in the span of all of them together."""
    mark = database.param
    ordered = sorted(spans)
    for start in range(0, len(ordered), PLAYERS_AT_ONCE):
        some = ordered[start : start + PLAYERS_AT_ONCE]
        first, last = min(spans[one][0] for one in some), max(spans[one][1] for one in some)
        marks = ", ".join([mark] * len(some))
        sql = (
            f"{select} WHERE {column} = {mark} AND player_id IN ({marks})"
            f" AND {ends} >= {mark} AND {begins} <= {mark}"
        )
        yield from database.execute_sql(sql, [name, *some, first, last])
