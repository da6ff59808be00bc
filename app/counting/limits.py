"""Limits and budgets: whether one payment more fits, and what it uses up; pure."""

from bisect import bisect_left, insort
from collections.abc import Sequence

from app.counting.state import EVERYBODY, NO_USE, Draft, MomentsKey, Use, UseKey
from app.porch.types import Reward
from app.rules.calendar import Calendar, Unit
from app.rules.keys import Budget, Limit
from app.rules.rule import Rule, Rules


def place_limit(rule: Rule, limit: Limit, calendar: Calendar, moment: int, player: str) -> UseKey:
    """Where the payments of a rule within a limit by the calendar are counted."""
    who = EVERYBODY if limit.for_all else player
    period = calendar.name_period(limit.unit, moment)
    if limit.unit == Unit.SEASON and rule.when and rule.when.first:  # another season, another count
        period = f"{period}:{rule.when.first:%Y%m%d}"
    return UseKey(rule.limit_owner, period, who)


def place_moments(rule: Rule, limit: Limit, player: str) -> MomentsKey:
    """Where the moments of payments are, for a limit by elapsed time."""
    return MomentsKey(rule.limit_owner, EVERYBODY if limit.for_all else player)


def place_budget(budget: Budget, calendar: Calendar, moment: int) -> UseKey:
    return UseKey(budget.owner, calendar.name_period(budget.unit, moment), EVERYBODY)


def list_caps(rules: Rules) -> dict[str, int]:
    """How much there is of what all share, by its name."""
    caps = {budget.owner: budget.cap for budget in rules.budgets}
    for rule in rules.all:
        for limit in rule.limits:
            if limit.for_all and not limit.length:
                caps[rule.limit_owner] = limit.most
    return caps


def find_used_up(draft: Draft, rule: Rule, calendar: Calendar, moment: int, player: str) -> str:
    """Which limit of the rule leaves no room for a payment, in words; "" where none does."""
    for limit in rule.limits:
        who = "for all" if limit.for_all else "for a player"
        if limit.length:
            moments = draft.moments.get(place_moments(rule, limit, player), ())
            if not has_room(moments, moment, limit.most, limit.length):
                return f"at most {limit.text} {who}"
            continue
        use = draft.uses.get(place_limit(rule, limit, calendar, moment, player), NO_USE)
        if use.amount >= limit.most:
            return f"at most {limit.text} {who}, used up by {use.event}"
    return ""


def has_room(moments: Sequence[int], moment: int, most: int, length: int) -> bool:
    """Whether one payment more at `moment` leaves no `length` ms with more than `most` payments.

    `moments` are sorted; a late one may lie between others.
    """
    place = bisect_left(moments, moment)
    paid = [*moments[max(0, place - most) : place], moment, *moments[place : place + most]]
    return all(
        paid[start + most] - paid[start] >= length for start in range(max(0, len(paid) - most))
    )


def find_exhausted(
    draft: Draft,
    budgets: Sequence[Budget],
    rewards: Sequence[Reward],
    calendar: Calendar,
    moment: int,
) -> str:
    """The name of the budget that does not hold all of these rewards; "" where each does."""
    for budget in budgets:
        wanted = sum(budget.measure(reward) for reward in rewards)
        used = draft.uses.get(place_budget(budget, calendar, moment), NO_USE).amount
        if wanted and used + wanted > budget.cap:
            return budget.name
    return ""


def use_limits(
    draft: Draft,
    rule: Rule,
    limits: Sequence[Limit],
    calendar: Calendar,
    moment: int,
    player: str,
    event: str,
) -> None:
    """Count one payment of a rule under these of its limits."""
    for limit in limits:
        if limit.length:
            key = place_moments(rule, limit, player)
            moments = list(draft.moments.get(key, ()))
            insort(moments, moment)
            draft.moments[key] = tuple(moments)
    places = {
        place_limit(rule, limit, calendar, moment, player): None
        for limit in limits
        if not limit.length
    }
    for place in places:
        draft.uses[place] = Use(draft.uses.get(place, NO_USE).amount + 1, event)


def use_budgets(
    draft: Draft,
    budgets: Sequence[Budget],
    rewards: Sequence[Reward],
    calendar: Calendar,
    moment: int,
    event: str,
) -> None:
    for budget in budgets:
        if wanted := sum(budget.measure(reward) for reward in rewards):
            place = place_budget(budget, calendar, moment)
            draft.uses[place] = Use(draft.uses.get(place, NO_USE).amount + wanted, event)
