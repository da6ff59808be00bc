"""What a rule may ask of an event's facts: `where = { rank = 1, level = { at_least = 10 } }`."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, TypeGuard

from marshmallow import ValidationError, fields

BOUNDS = ("at_least", "at_most")


@dataclass(frozen=True)
class Condition:
    """What is asked of a fact's value, which is None where the event has no such fact."""

    holds: Callable[[Any], bool]
    means: Any  # as JSON: the same for what asks the same

    def __call__(self, fact: Any) -> bool:
        return self.holds(fact)

    def describe(self) -> str:
        """As one says it: "is 1 or 2", "is at least 10"."""
        if isinstance(self.means, dict):
            bounds = [f"{name.replace('_', ' ')} {bound}" for name, bound in self.means.items()]
            return f"is {' and '.join(bounds)}"
        return f"is {' or '.join(self.means)}"


class ConditionField(fields.Field[Condition]):
    """A value, a list of values of which one must hold, or { at_least = 10, at_most = 20 }."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Condition:
        if isinstance(value, dict):
            is_known = value and all(name in BOUNDS for name in value)
            if not is_known or not all(is_number(bound) for bound in value.values()):
                raise ValidationError("takes numbers as { at_least = 10, at_most = 20 }")
            if len(value) == 2 and value["at_least"] > value["at_most"]:
                raise ValidationError("at_least is more than at_most: it would never hold")
            lowest, highest = value.get("at_least"), value.get("at_most")
            means = {name: spell(value[name]) for name in BOUNDS if name in value}
            return Condition(partial(is_within, lowest, highest), means)
        wanted = value if isinstance(value, list) else [value]
        if not wanted or not all(isinstance(one, str | int | float) for one in wanted):
            raise ValidationError("must be a value, a list of values, or { at_least = 10 }")
        spelt = sorted({spell(one) for one in wanted})
        return Condition(partial(is_one_of, spelt), spelt)


def is_number(value: Any) -> TypeGuard[float]:
    is_real = not isinstance(value, Decimal) or value.is_finite()
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and is_real


def is_within(lowest: float | None, highest: float | None, fact: Any) -> bool:
    if not is_number(fact):
        return False
    return (lowest is None or fact >= lowest) and (highest is None or fact <= highest)


def is_one_of(wanted: list[str], fact: Any) -> bool:
    """Whether a fact is one of these."""
    return isinstance(fact, str | int | float | Decimal) and spell(fact) in wanted


def spell(value: Any) -> str:
    """One text for what means the same: 1, 1.0, "1" and true."""
    if isinstance(value, bool):
        return str(int(value))
    is_whole = is_number(value) and abs(value) < 2**63 and value == int(value)
    return str(int(value) if is_whole else value)
