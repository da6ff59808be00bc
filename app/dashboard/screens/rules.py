"""The rules as sentences, how often each paid, how far each party is, what is left of limits and budgets."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from flask import render_template
from peewee import fn

from app.counting.limits import place_budget, place_limit, place_moments
from app.counting.state import EVERYBODY, UseKey
from app.dashboard.frame import get_guerdon, look
from app.database.counter_models import MomentRow, UseRow
from app.database.patience import TookTooLong
from app.numbers.records import RuleRecord, read_rule_records
from app.rules.keys import UNITS_PER_ONE, Limit
from app.rules.rule import Rule
from app.rules.sentences import say_rule


@look("/rules")
def show_rules() -> Any:
    """What earns what, in words, and what it came to."""
    guerdon = get_guerdon()
    records = read_records()
    known = [rule.name for rule in guerdon.rules.all]
    rules = [
        {"name": rule.name, "said": say_rule(rule), "record": records.get(rule.name)}
        for rule in guerdon.rules.all
    ]
    return render_template(
        "rules.html", rules=rules, goals=guerdon.showing.list_goals(guerdon.now()),
        budgets=list(list_budgets()), limits=list(list_limits()), file=str(guerdon.config.rewards_file),
        gone=[one for name, one in records.items() if name not in known], is_counted=bool(records),
    )  # fmt: skip


def read_records() -> dict[str, RuleRecord]:
    """How often each rule has paid, also those that are gone; nothing where that takes too long."""
    guerdon = get_guerdon()
    try:
        with guerdon.database.limit_time(1.0):
            found = read_rule_records(guerdon.database, [one.name for one in guerdon.rules.all])
    except TookTooLong:
        return {}
    return {one.rule: one for one in found}


def list_budgets() -> Iterator[dict[str, Any]]:
    """Each budget of the rules: what of it is used in the period of now."""
    guerdon = get_guerdon()
    for budget in guerdon.rules.budgets:
        place = place_budget(budget, guerdon.rules.calendar, guerdon.now())
        used = Decimal(read_use(place)) / UNITS_PER_ONE
        yield {
            "name": budget.name, "reward": budget.reward, "text": budget.text,
            "used": shorten(used), "most": budget.most, "left": shorten(max(budget.most - used, Decimal(0))),
            "percent": int(used * 100 / budget.most) if budget.most else 100,
            "ends": guerdon.rules.calendar.end_period(place.period),
        }  # fmt: skip


def list_limits() -> Iterator[dict[str, Any]]:
    """Each limit that all players share: how many payments of it are used now."""
    for rule in get_guerdon().rules.all:
        for limit in rule.limits:
            if limit.for_all:
                used, ends = count_used(rule, limit)
                yield {
                    "rule": rule.name, "text": limit.text, "used": used, "most": limit.most,
                    "left": max(limit.most - used, 0), "ends": ends,
                }  # fmt: skip


def count_used(rule: Rule, limit: Limit) -> tuple[int, int | None]:
    """Payments that count against a limit for all now, and when (ms) it begins anew, if it does."""
    guerdon = get_guerdon()
    calendar, now = guerdon.rules.calendar, guerdon.now()
    if not limit.length:
        place = place_limit(rule, limit, calendar, now, EVERYBODY)
        return read_use(place), calendar.end_period(place.period)
    key = place_moments(rule, limit, EVERYBODY)
    query = MomentRow.select(fn.SUM(MomentRow.payments)).where(
        (MomentRow.player_id == EVERYBODY)
        & (MomentRow.owner == key.owner)
        & (MomentRow.moment > now - limit.length)
    )
    return int(query.scalar() or 0), None


def read_use(place: UseKey) -> int:
    row = UseRow.get_or_none(
        (UseRow.player_id == place.player)
        & (UseRow.owner == place.owner)
        & (UseRow.period == place.period)
    )
    return int(row.used) if row else 0


def shorten(number: Decimal) -> str:
    """With commas, and without zeros at its end."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
