"""A second telling of what rules mean: slow, from the whole history each time, in plain Python."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Vote:
    """One vote, in the order it was settled."""

    id: str
    player: str
    moment: int  # ms
    server: str = "1"
    site: str = "a"

    @property
    def day(self) -> Any:
        return datetime.fromtimestamp(self.moment / 1000, UTC).date()

    def period(self, unit: str) -> Any:
        match unit:
            case "day":
                return self.day
            case "week":
                return self.day - timedelta(days=self.day.weekday())
            case "month":
                return (self.day.year, self.day.month)
            case "year":
                return self.day.year
        return None


@dataclass(frozen=True)
class Told:
    """A rule as the test wrote it."""

    name: str
    server: str | None = None
    count: dict[str, Any] | None = None
    streak: dict[str, Any] | None = None
    limit: dict[str, str] | None = None
    amount: int = 1


def reached(marks: dict[str, Any], number: int) -> int:
    if "every" in marks:
        return number // int(marks["every"])
    return sum(mark <= number for mark in marks["at"])


def list_chains(days: set[Any], may_miss: int) -> list[list[Any]]:
    chains: list[list[Any]] = []
    for day in sorted(days):
        if chains and (day - chains[-1][-1]).days <= may_miss + 1:
            chains[-1].append(day)
        else:
            chains.append([day])
    return chains


def count_days(votes: Iterable[Vote], needed: int) -> set[Any]:
    days = [vote.day for vote in votes]
    return {day for day in days if days.count(day) >= needed}


def tell(
    rules: list[Told], votes: list[Vote], budget: int | None = None
) -> dict[str, dict[str, int]]:
    """How often each rule pays each vote, by the vote's id and the rule's name."""
    paid: dict[str, dict[str, int]] = {}
    spent: dict[Any, int] = {}
    for place, vote in enumerate(votes):
        paid[vote.id] = {}
        for rule in rules:
            if rule.server is None or rule.server == vote.server:
                mine = [
                    one for one in votes[:place] if one.server == rule.server or not rule.server
                ]
                due = tell_due(rule, mine, vote, paid)
                times = 0
                while times < due and has_room(rule, votes[:place], vote, paid, times):
                    month = vote.period("month")
                    if budget is not None and spent.get(month, 0) + rule.amount > budget:
                        break
                    spent[month] = spent.get(month, 0) + rule.amount
                    times += 1
                paid[vote.id][rule.name] = times
    return paid


def tell_due(rule: Told, before: list[Vote], vote: Vote, paid: dict[str, dict[str, int]]) -> int:
    own = [one for one in before if one.player == vote.player]
    if rule.count:
        unit = rule.count.get("in", "ever")
        same = [one for one in own if one.period(unit) == vote.period(unit)]
        if rule.count.get("of") == "site":
            sites = {one.site for one in same}
            return int(vote.site not in sites and len(sites) + 1 in rule.count["at"])
        number = len(same) + 1
        return reached(rule.count, number) - reached(rule.count, number - 1)
    if rule.streak:
        needed, may_miss = rule.streak.get("votes", 1), rule.streak.get("may_miss", 0)
        days = count_days(own, needed)
        later = count_days([*own, vote], needed)
        if later == days:
            return 0
        [chain] = [one for one in list_chains(later, may_miss) if vote.day in one]
        parts = [one for one in list_chains(days, may_miss) if set(one) <= set(chain)]
        owed = sum(reached(rule.streak, len(part)) for part in parts)
        got = sum(paid[one.id].get(rule.name, 0) for one in own if chain[0] <= one.day <= chain[-1])
        return max(0, reached(rule.streak, len(chain)) - max(owed, got))
    return 1


def has_room(
    rule: Told, before: list[Vote], vote: Vote, paid: dict[str, dict[str, int]], times: int
) -> bool:
    for whose, text in (rule.limit or {}).items():
        most, _, unit = text.split(" ", 2)
        others = [
            one
            for one in before
            for _ in range(paid[one.id].get(rule.name, 0))
            if whose == "all" or one.player == vote.player
        ] + [vote] * times
        if unit.endswith("hours"):
            length = int(unit.split()[0]) * 3_600_000
            moments = sorted([*(one.moment for one in others), vote.moment])
            spans = zip(moments, moments[int(most) :], strict=False)
            if any(last - first < length for first, last in spans):
                return False
        elif sum(one.period(unit) == vote.period(unit) for one in others) >= int(most):
            return False
    return True
