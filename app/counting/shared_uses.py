"""Limits for all and budgets, counted anew from what the ledger says was paid."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.counting.limits import place_budget, place_limit, place_moments
from app.counting.needs import place_lock
from app.counting.programme import Programme
from app.counting.state import EVERYBODY, MomentsKey, Use, UseKey
from app.counting.writing import make_use
from app.database.counter_models import MomentRow, UseRow
from app.database.opening import Database
from app.database.upserting import upsert_rows
from app.porch.types import Reward
from app.rules.rule import Rule

ROWS_AT_ONCE = 5000
SLACK = 10_000  # rows near the end of the ledger: one with a lower id may be committed later
USE_KEY = ("player_id", "owner", "period")

Progress = Callable[[Sequence[Any]], Iterable[Any]]


@dataclass
class SharedCount:
    """How much of each limit for all and each budget the ledger says is used; and the moments.

    It can go on where it was: `latest` are the rows near the end that are in it, for ids are not in the
    order of commits.
    """

    programme: Programme
    uses: "Counter[UseKey]" = field(default_factory=Counter)
    moments: dict[MomentsKey, "Counter[int]"] = field(default_factory=dict)
    highest: int = 0
    latest: set[int] = field(default_factory=set)

    def copy(self) -> "SharedCount":
        moments = {key: Counter(some) for key, some in self.moments.items()}
        uses, latest = Counter(self.uses), set(self.latest)
        return SharedCount(self.programme, uses, moments, self.highest, latest)

    def go_on(self, database: Database, progress: Progress = iter) -> "SharedCount":
        """Count what has been settled since, or all; `progress` is given the windows looked through."""
        if not has_shared(self.programme):
            return self
        top = database.execute_sql("SELECT COALESCE(MAX(id), 0) FROM guerdon_events").fetchone()[0]
        windows = range(max(0, self.highest - SLACK) + 1, int(top) + 1, ROWS_AT_ONCE)
        for first in progress(windows):
            self._add_window(database, first)
            self.latest = {row for row in self.latest if row > first - SLACK}
        self.highest = max(self.highest, int(top))
        return self

    def _add_window(self, database: Database, first: int) -> None:
        mark = database.param
        between, params = f"BETWEEN {mark} AND {mark}", (first, first + ROWS_AT_ONCE - 1)
        rows = database.execute_sql(
            "SELECT id, counted_at, verdicts FROM guerdon_events WHERE verdicts IS NOT NULL"
            f" AND id {between}",
            params,
        ).fetchall()
        moments = {row: moment for row, moment, _ in rows if row not in self.latest}
        for row, moment, verdicts in rows:
            if row in moments:
                self._add_payments(moment, json.loads(verdicts))
        if self.programme.rules.budgets:
            sql = f"SELECT event, kind, params FROM guerdon_grants WHERE event {between}"
            for row, kind, said in database.execute_sql(sql, params).fetchall():
                if row in moments:
                    self._add_reward(moments[row], Reward(kind, json.loads(said)))
        self.latest.update(moments)

    def _add_payments(self, moment: int, verdicts: Sequence[Mapping[str, Any]]) -> None:
        calendar = self.programme.rules.calendar
        for verdict in verdicts:
            rule = self.programme.find_rule(verdict["rule"])
            if rule is None or not verdict["paid"]:
                continue
            for limit in rule.limits:
                if limit.for_all and limit.length:
                    key = place_moments(rule, limit, EVERYBODY)
                    self.moments.setdefault(key, Counter())[moment] += verdict["paid"]
                elif limit.for_all:
                    place = place_limit(rule, limit, calendar, moment, EVERYBODY)
                    self.uses[place] += verdict["paid"]

    def _add_reward(self, moment: int, reward: Reward) -> None:
        for budget in self.programme.rules.budgets:
            if amount := budget.measure(reward):
                self.uses[place_budget(budget, self.programme.rules.calendar, moment)] += amount


def list_shared(programme: Programme) -> list[str]:
    """What all share, each in a word that is another where it counts something else."""
    rules = programme.rules
    found = [
        f"{rule.limit_owner} {limit.length or limit.unit}"
        for rule in rules.all
        for limit in rule.limits
        if limit.for_all
    ]
    return sorted(found + [
        f"{one.owner} {one.unit} {one.reward} {one.sum}" for one in rules.budgets
    ])  # fmt: skip


def has_shared(programme: Programme) -> bool:
    limits = [limit for rule in programme.rules.all for limit in rule.limits if limit.for_all]
    return bool(limits or programme.rules.budgets)


def read_windows(database: Database, sql: str, column: str = "id") -> Iterator[Any]:
    """All rows of a question that ends with an id, some at a time."""
    last = 0
    while rows := database.execute_sql(
        f"{sql} {database.param} ORDER BY {column} LIMIT {ROWS_AT_ONCE}", (last,)
    ).fetchall():
        yield from rows
        last = rows[-1][0]


def replace_shared(database: Database, known: SharedCount) -> None:
    """Inside: put what the ledger says in the place of what is kept.

    `known` was counted before, outside, for that takes long. Here the rows are held first, so that whoever
    uses something up waits, and what was settled since is counted then; a row that came up meanwhile is
    held too, and all is looked at again.
    """
    held: set[UseKey] = set()
    count, wanted = known, read_shared(database).keys() | list_keys(known)
    while not wanted <= held:
        hold_rows(database, wanted - held)
        held |= wanted
        count = known.copy().go_on(database)
        wanted = list_keys(count)
    uses = [make_use(key, Use(count.uses.get(key, 0))) for key in sorted(held) if not is_lock(key)]
    upsert_rows(database, UseRow, USE_KEY, uses, {"used": "{new}"})
    raised = [make_use(key, Use()) for key in sorted(held) if is_lock(key)]
    upsert_rows(database, UseRow, USE_KEY, raised, {"used": "{old} + 1"})
    database.execute_sql("DELETE FROM guerdon_limit_moments WHERE player_id = ''")
    rows = [
        {"player_id": EVERYBODY, "owner": one.owner, "moment": moment, "payments": times}
        for one, some in sorted(count.moments.items()) for moment, times in sorted(some.items())
    ]  # fmt: skip
    upsert_rows(database, MomentRow, ("player_id", "owner", "moment"), rows, {"payments": "{new}"})


def list_keys(count: SharedCount) -> set[UseKey]:
    """The rows that a count is kept in; moments are changed by whoever raises their lock."""
    return count.uses.keys() | {place_lock(key.owner) for key in count.moments}


def is_lock(key: UseKey) -> bool:
    return key == place_lock(key.owner)


def hold_rows(database: Database, keys: Iterable[UseKey]) -> None:
    """Inside: nobody else changes these rows until our transaction has ended; they are made if need be."""
    rows = [make_use(key, Use()) for key in sorted(keys)]
    upsert_rows(database, UseRow, USE_KEY, rows, {"used": "{old}"})


def list_shared_differences(database: Database, programme: Programme) -> list[str]:
    """A sentence for each limit for all or budget that is kept otherwise than the ledger says."""
    names = name_owners(programme)
    before = read_shared(database)
    uses = SharedCount(programme).go_on(database).uses
    after = read_shared(database)
    found = []
    for key in sorted(before.keys() | uses.keys()):
        kept = before.get(key, 0)
        if key.owner not in names or is_lock(key):
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
    named = {one.owner: f'budget "{one.name}"' for one in programme.rules.budgets}
    rules: Sequence[Rule] = programme.rules.all
    return named | {
        rule.limit_owner: f'limit for all of the rule "{rule.name}"'
        for rule in rules
        if any(limit.for_all for limit in rule.limits)
    }
