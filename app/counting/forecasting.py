"""What rules would cost from now on: days of a trial, put in order."""

from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal
from statistics import quantiles

from app.counting.trial import Result
from app.rules.rule import Rules

DAYS = 28


def forecast_day(result: Result, days: Collection[date]) -> tuple[float, float]:
    """How often a rule pays on a day: the median and the 95th percentile of the latest 28 days."""
    if not days:
        return 0.0, 0.0
    last = max(days)
    counts = [float(result.by_day.get(last - timedelta(days=back), 0)) for back in range(DAYS)]
    known = counts[: max(1, min(DAYS, (last - min(days)).days + 1))]
    if len(known) == 1:
        return known[0], known[0]
    cuts = quantiles(known, n=20, method="inclusive")
    return cuts[9], cuts[18]


def list_ceilings(rules: Rules) -> list[str]:
    """What can never be passed, in words."""
    found = [
        f'rule "{rule.name}": at most {limit.text} for all'
        for rule in rules.all
        for limit in rule.limits
        if limit.for_all
    ]
    return found + [
        f'budget "{one.name}": at most {one.text} of {one.reward} {one.sum}'
        for one in rules.budgets
    ]


def sum_amounts(result: Result) -> dict[str, str]:
    """The sums of a result, as text: Decimals are exact."""
    return {
        name: format(amount.normalize() + Decimal(0), "f") for name, amount in result.sums.items()
    }
