"""Reads what a batch needs to know of the counters: in one statement, as a rule, whatever its size."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

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
NOTHING = "{}"  # what most chains have paid

# Columns of every select: which it is, a name, a period, a player, three numbers, a text.
TALLIES = "SELECT 0, counter, period, player_id, votes, last_at, 0, '' FROM guerdon_tallies"
SEEN = "SELECT 1, counter, period, player_id, 0, 0, 0, thing FROM guerdon_seen"
USES = "SELECT 2, owner, period, player_id, used, 0, 0, event FROM guerdon_limits"
CHAINS = "SELECT 3, counter, '', player_id, start, last, length, paid FROM guerdon_streaks"
MOMENTS = "SELECT 4, owner, '', player_id, moment, payments, 0, '' FROM guerdon_limit_moments"


class Part(NamedTuple):
    """One select of many in a statement, and its parameters."""

    sql: str
    params: Sequence[Any]


def read_state(database: Database, needs: Needs) -> State:
    """Inside: the counters of these needs, as the payments before have left them."""
    state = State()
    chains: dict[ChainsKey, list[Chain]] = {}
    moments: dict[MomentsKey, list[int]] = {}
    for kind, name, period, player, one, two, three, text in ask(database, needs):
        if kind == 0:
            state.tallies[TallyKey(name, period, player)] = Tally(one, two)
        elif kind == 1:
            state.seen[SeenKey(name, period, player, text)] = True
        elif kind == 2:
            state.uses[UseKey(name, period, player)] = Use(one, text)
        elif kind == 3:
            paid = json.loads(text) if text != NOTHING else {}
            chain = Chain(one, two, three, paid)
            chains.setdefault(ChainsKey(name, player), []).append(chain)
        else:
            moments.setdefault(MomentsKey(name, player), []).extend([one] * two)
    state.chains.update({key: tuple(sorted(some)) for key, some in chains.items()})
    state.moments.update({key: tuple(sorted(some)) for key, some in moments.items()})
    return state


def ask(database: Database, needs: Needs) -> Iterator[Sequence[Any]]:
    """The rows of all that is needed."""
    parts = [
        *list_pairs(database, TALLIES, "counter", needs.tallies.items()),
        *list_pairs(database, SEEN, "counter", [(one, needs.tallies[one]) for one in needs.sites]),
        *list_pairs(database, USES, "owner", needs.uses.items()),
    ]
    for name, spans in needs.chains.items():
        parts += list_spans(database, CHAINS, "counter", name, ("last", "start"), spans)
    for name, spans in needs.moments.items():
        parts += list_spans(database, MOMENTS, "owner", name, ("moment", "moment"), spans)
    for start in range(0, len(parts), PARTS_AT_ONCE):
        group = parts[start : start + PARTS_AT_ONCE]
        sql = " UNION ALL ".join([part.sql for part in group])
        yield from database.execute_sql(sql, [one for part in group for one in part.params])


def list_pairs(
    database: Database,
    select: str,
    column: str,
    wanted: Iterable[tuple[tuple[str, str], Iterable[str]]],
) -> Iterator[Part]:
    """The rows of these players under each (counter, period)."""
    mark = database.param
    for (name, period), players in wanted:
        ordered = sorted(players)
        for start in range(0, len(ordered), PLAYERS_AT_ONCE):
            some = ordered[start : start + PLAYERS_AT_ONCE]
            marks = ", ".join([mark] * len(some))
            where = f"{column} = {mark} AND period = {mark} AND player_id IN ({marks})"
            yield Part(f"{select} WHERE {where}", [name, period, *some])


def list_spans(
    database: Database,
    select: str,
    column: str,
    name: str,
    ends: tuple[str, str],
    spans: dict[str, tuple[int, int]],
) -> Iterator[Part]:
    """The rows under a name, of these players, that lie in the span of all of them together.

    `ends` are the columns of the last and of the first that a row is about.
    """
    mark = database.param
    ordered = sorted(spans)
    for start in range(0, len(ordered), PLAYERS_AT_ONCE):
        some = ordered[start : start + PLAYERS_AT_ONCE]
        first, last = min(spans[one][0] for one in some), max(spans[one][1] for one in some)
        marks = ", ".join([mark] * len(some))
        where = (
            f"{column} = {mark} AND player_id IN ({marks})"
            f" AND {ends[0]} >= {mark} AND {ends[1]} <= {mark}"
        )
        yield Part(f"{select} WHERE {where}", [name, *some, first, last])
