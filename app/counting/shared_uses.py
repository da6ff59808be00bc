"""Limits for all and budgets, counted anew from what the ledger says was paid."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from app.counting.counters import name_budget, name_limit
from app.counting.deciding import Programme
from app.counting.limits import place_budget, place_limit, place_moments
from app.counting.needs import place_lock
from app.counting.state import EVERYBODY, MomentsKey, Use, UseKey
from app.counting.writing import make_use
from app.database.counter_models import MomentRow, UseRow
from app.database.opening import Database
from app.database.upserting import upsert_rows
from app.porch.types import Reward
from app.rules.rule import Rule

ROWS_AT_ONCE = 5000


def count_shared_uses(
    database: Database, programme: Programme
) -> tuple[dict[UseKey, int], dict[MomentsKey, Counter[int]]]:
    """How much of each limit for all and each budget the ledger says is used; and the moments."""
    uses: Counter[UseKey] = Counter()
    moments: dict[MomentsKey, Counter[int]] = {}
    if not has_shared(programme):
        return uses, moments
    rules = {rule.name: rule for rule in programme.rules.all}
    calendar = programme.rules.calendar
    for moment, name, times in read_payments(database):
        for limit in rules[name].limits if name in rules else ():
            if not limit.for_all:
                continue
            if limit.length:
                key = place_moments(rules[name], limit, EVERYBODY)
                moments.setdefault(key, Counter())[moment] += times
            else:
                uses[place_limit(rules[name], limit, calendar, moment, EVERYBODY)] += times
    if programme.rules.budgets:
        for moment, reward in read_rewards(database):
            for budget in programme.rules.budgets:
                if amount := budget.measure(reward):
                    uses[place_budget(budget, calendar, moment)] += amount
    return uses, moments


def list_shared(programme: Programme) -> list[str]:
    """What all share, each in a word that is another where it counts something else."""
    rules = programme.rules
    found = [
        f"{name_limit(rule.name)} {limit.length or limit.unit}"
        for rule in rules.all
        for limit in rule.limits
        if limit.for_all
    ]
    return sorted(found + [
        f"{name_budget(one.name)} {one.unit} {one.reward} {one.sum}" for one in rules.budgets
    ])  # fmt: skip


def has_shared(programme: Programme) -> bool:
    limits = [limit for rule in programme.rules.all for limit in rule.limits if limit.for_all]
    return bool(limits or programme.rules.budgets)


def read_payments(database: Database) -> Iterator[tuple[int, str, int]]:
    """Each event's moment with the name of each rule that paid it, and how often."""
    sql = "SELECT id, counted_at, verdicts FROM guerdon_events WHERE verdicts IS NOT NULL AND id >"
    for _, moment, verdicts in read_windows(database, sql):
        for one in json.loads(verdicts):
            if one["paid"]:
                yield moment, one["rule"], one["paid"]


def read_rewards(database: Database) -> Iterator[tuple[int, Reward]]:
    """Each reward that was given under rules that count, with its event's moment."""
    sql = (
        "SELECT g.id, e.counted_at, g.kind, g.params FROM guerdon_grants AS g"
        " JOIN guerdon_events AS e ON e.id = g.event WHERE e.verdicts IS NOT NULL AND g.id >"
    )
    for _, moment, kind, params in read_windows(database, sql, "g.id"):
        yield moment, Reward(kind, json.loads(params))


def read_windows(database: Database, sql: str, column: str = "id") -> Iterator[Any]:
    """All rows of a question that ends with an id, some at a time."""
    last = 0
    while rows := database.execute_sql(
        f"{sql} {database.param} ORDER BY {column} LIMIT {ROWS_AT_ONCE}", (last,)
    ).fetchall():
        yield from rows
        last = rows[-1][0]


def set_shared_uses(
    database: Database,
    programme: Programme,
    counted: tuple[Mapping[UseKey, int], Mapping[MomentsKey, Counter[int]]],
) -> None:
    """Inside: put this in the place of what is kept."""
    uses, moments = counted
    rows = [make_use(key, Use(amount)) for key, amount in sorted(uses.items())]
    rows += [make_use(place_lock(key.owner), Use()) for key in moments]
    database.execute_sql("DELETE FROM guerdon_limits WHERE player_id = ''")
    database.execute_sql("DELETE FROM guerdon_limit_moments WHERE player_id = ''")
    key = ("player_id", "owner", "period")
    upsert_rows(database, UseRow, key, rows, {"used": "{new}"})
    payments = [
        {"player_id": EVERYBODY, "owner": one.owner, "moment": moment, "payments": times}
        for one, some in moments.items() for moment, times in sorted(some.items())
    ]  # fmt: skip
    upsert_rows(
        database, MomentRow, ("player_id", "owner", "moment"), payments, {"payments": "{new}"}
    )


def list_shared_differences(database: Database, programme: Programme) -> list[str]:
    """A sentence for each limit for all or budget that is kept otherwise than the ledger says."""
    names = name_owners(programme)
    before = read_shared(database)
    uses, _ = count_shared_uses(database, programme)
    after = read_shared(database)
    found = []
    for key in sorted(before.keys() | uses.keys()):
        kept = before.get(key, 0)
        if key.owner not in names or key.period == place_lock(key.owner).period:
            continue
        if kept != uses.get(key, 0) and kept == after.get(key, 0):  # else it moves just now
            found.append(
                f"{names[key.owner]} in {key.period}: kept {kept}, by the ledger {uses.get(key, 0)}"
            )
    return found


def read_shared(database: Database) -> dict[UseKey, int]:
    sql = "SELECT owner, period, used FROM guerdon_limits WHERE player_id = ''"
    rows = database.execute_sql(sql).fetchall()
    return {UseKey(owner, period, EVERYBODY): used for owner, period, used in rows}


def name_owners(programme: Programme) -> dict[str, str]:
    """What each name of a shared counter stands for."""
    named = {name_budget(one.name): f'budget "{one.name}"' for one in programme.rules.budgets}
    rules: list[Rule] = programme.rules.all
    return named | {
        name_limit(rule.name): f'limit for all of the rule "{rule.name}"'
        for rule in rules
        if any(limit.for_all for limit in rule.limits)
    }
