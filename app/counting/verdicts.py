"""What a rule decided about an event, and why, in words that its player may be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.rules.drawing import Draw
from app.rules.gifts import Gift
from app.rules.rule import Rule

LONGEST_REASON = 200  # characters


@dataclass(slots=True)
class Verdict:
    """`paid`: how often the rule paid; `why` it did not, or what it counted."""

    rule: Rule
    paid: int = 0
    why: str = ""
    gifts: list[Gift] = field(default_factory=list)
    draws: dict[int, Draw] = field(default_factory=dict)  # by the place of the gift they gave
    empty_draws: list[Draw] = field(default_factory=list)  # that gave nothing

    def describe(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        said: dict[str, Any] = {"rule": self.rule.name, "paid": self.paid}
        if self.why:
            said["why"] = self.why[:LONGEST_REASON]
        if draws := [*self.draws.values(), *self.empty_draws]:
            said["draws"] = [draw.describe() for draw in draws]
        return said


def describe_fact(fact: str, value: Any) -> str:
    """A fact that does not hold, as "player.role is guest"."""
    if value is None or value == []:
        return f"{fact} is not known"
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{fact} is {shown}"


def find_fact_fault(wanted: Mapping[str, Any], facts: Mapping[str, Any], prefix: str = "") -> str:
    """The first fact that does not hold, in words; "" where all do. Of a list one has to hold."""
    for fact, holds in wanted.items():
        value = facts.get(fact)
        values = value if isinstance(value, list | tuple) and prefix else [value]
        if not any(map(holds, values)):
            return describe_fact(prefix + fact, value)
    return ""
