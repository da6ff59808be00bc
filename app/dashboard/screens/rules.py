"""The rules as sentences, how far each party is, and what is left of budgets."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from flask import render_template

from app.counting.limits import place_budget
from app.dashboard.frame import get_guerdon, look
from app.database.counter_models import UseRow
from app.rules.keys import UNITS_PER_ONE
from app.rules.sentences import say_rule


@look("/rules")
def show_rules() -> Any:
    """What earns what, in words."""
    guerdon = get_guerdon()
    rules = [{"name": rule.name, "said": say_rule(rule)} for rule in guerdon.rules.all]
    return render_template(
        "rules.html", rules=rules, goals=guerdon.showing.list_goals(guerdon.now()),
        budgets=list(list_budgets()), file=str(guerdon.config.rewards_file),
    )  # fmt: skip


def list_budgets() -> Iterator[dict[str, Any]]:
    """Each budget of the rules: what of it is used in the period of now."""
    guerdon = get_guerdon()
    for budget in guerdon.rules.budgets:
        place = place_budget(budget, guerdon.rules.calendar, guerdon.now())
        row = UseRow.get_or_none(
            (UseRow.player_id == place.player)
            & (UseRow.owner == place.owner)
            & (UseRow.period == place.period)
        )
        used = Decimal(row.used if row else 0) / UNITS_PER_ONE
        yield {
            "name": budget.name, "reward": budget.reward, "text": budget.text,
            "used": used.normalize() if used else 0, "most": budget.most,
            "percent": int(used * 100 / budget.most) if budget.most else 100,
        }  # fmt: skip
