"""The counters of players as the ledger has them: what a fold of their settled events gives.

What was counted follows from the events; what was paid, from the verdicts kept with them.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.counting.deciding import Happened, count_event
from app.counting.imported import add_totals, is_totals
from app.counting.ledger_events import HAS_PARTS, rebuild_event
from app.counting.limits import use_limits
from app.counting.occasions import SOURCE, Occasion
from app.counting.programme import Programme
from app.counting.state import ChainsKey, State
from app.database.opening import Database
from app.rules.rule import PLAYER, Rule

PLAYERS_AT_ONCE = 100
COLUMNS = (
    "id", "ordered_key", "source", "type", "event_id", "server_id", "nickname", "user_id",
    "occurred_at", "settled_at", "counted_at", "earns", "player_id", "verdicts", "data",
)  # fmt: skip
# Whether an event came with parts is asked of those alone that do not say whether they earn.
SELECT = (
    f"SELECT {', '.join(COLUMNS)}, CASE WHEN earns IS NULL THEN {HAS_PARTS} ELSE 0 END"
    " FROM guerdon_events"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """An event of the ledger with its player, and how often each rule paid it."""

    row: int
    happened: Happened
    paid: dict[str, int]
    settled_at: int  # ms
    is_decided: bool = True  # with verdicts: the rules asked more than the event


def read_history(
    database: Database, programme: Programme, players: Collection[str]
) -> Iterator[Settled]:
    """Inside or outside: the settled events of these players in the order they were settled."""
    ordered, mark = sorted(players), database.param
    types = sorted({*programme.rules.by_type, *Occasion})
    for start in range(0, len(ordered), PLAYERS_AT_ONCE):
        some = ordered[start : start + PLAYERS_AT_ONCE]
        marks, kinds = ", ".join([mark] * len(some)), ", ".join([mark] * len(types))
        where = f"WHERE player_id IN ({marks}) AND type IN ({kinds}) ORDER BY id"
        yield from read_settled(database, where, [*some, *types])


def read_settled(database: Database, where: str, params: Sequence[Any]) -> Iterator[Settled]:
    """The settled events under this condition, as they were decided about."""
    for *row, has_parts in database.execute_sql(f"{SELECT} {where}", list(params)).fetchall():
        yield make_settled(dict(zip(COLUMNS, row, strict=True)), bool(has_parts))


def make_settled(row: dict[str, Any], has_parts: bool) -> Settled:
    """A row of the ledger as it was decided about."""
    event = rebuild_event(row, has_parts)
    moment = row["counted_at"] if row["counted_at"] is not None else row["settled_at"]
    verdicts = json.loads(row["verdicts"] or "[]")
    paid = {one["rule"]: one["paid"] for one in verdicts if one["paid"]}
    refused = {one["rule"]: one["why"] for one in verdicts if is_about_player(one)}
    happened = Happened(event, row["player_id"] or "", moment, refused=refused)
    is_decided = row["verdicts"] is not None
    return Settled(row["id"], happened, paid, row["settled_at"], is_decided)


def is_about_player(verdict: dict[str, Any]) -> bool:
    """Whether it was the player, as he was then, for whom a rule did not hold."""
    return not verdict["paid"] and str(verdict.get("why", "")).startswith(PLAYER)


def fold_history(programme: Programme, history: Iterable[Settled]) -> State:
    """The counters after these events, which are in the order they were settled."""
    state = State()
    payments: list[tuple[Settled, Rule, int]] = []
    for settled in history:
        if not settled.happened.event.earns:
            continue
        draft = state.begin()
        is_own = settled.happened.event.source == SOURCE
        if is_totals(settled.happened.event):
            happened = settled.happened
            add_totals(programme.counters, draft, happened.event, happened.player)
        elif not is_own:
            count_event(programme.counters, draft, settled.happened)
        for name, times in settled.paid.items():
            if rule := programme.find_rule(name):
                if not is_own:  # what was paid later changes no chain
                    payments.append((settled, rule, times))
                for _ in range(times):
                    use_own_limits(programme, draft, settled.happened, rule)
        state.keep(draft)
    for settled, rule, times in payments:
        if rule.streak:
            note_streak(programme, state, settled.happened, rule, times)
    return state


def use_own_limits(programme: Programme, draft: Any, happened: Happened, rule: Rule) -> None:
    calendar = programme.rules.calendar
    own = [limit for limit in rule.limits if not limit.for_all]
    use_limits(draft, rule, own, calendar, happened.moment, happened.player, happened.name)


def note_streak(
    programme: Programme, state: State, happened: Happened, rule: Rule, times: int
) -> None:
    """Whatever a rule paid for a chain belongs to the chain that its event is in by now."""
    assert rule.streak is not None
    key = ChainsKey(rule.chain_name, happened.player)
    number = programme.rules.calendar.number_period(rule.streak.unit, happened.moment)
    state.chains[key] = tuple(
        chain.add_paid(rule.name, times) if chain.start <= number <= chain.last else chain
        for chain in state.chains.get(key, ())
    )
