"""What a rule decided about an event, and why, in words that its player may be told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from app.porch.json import dump_json
from app.porch.text import is_unicode
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
    gifts: Sequence[Gift] = ()
    draws: Sequence[tuple[int, Draw]] = ()  # each with the place of the gift that it gave
    empty_draws: Sequence[Draw] = ()  # that gave nothing

    def describe(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        said: dict[str, Any] = {"rule": self.rule.name, "paid": self.paid}
        if self.why:
            said["why"] = self.why[:LONGEST_REASON]
        if draws := [*(draw for _, draw in self.draws), *self.empty_draws]:
            said["draws"] = [draw.describe() for draw in draws]
        return said

    def dump(self) -> str:
        """The JSON of what it describes. Each vote has one for each rule, and most are short."""
        if self.draws or self.empty_draws:
            return dump_json(self.describe())
        why = f',"why":{encode_basestring(self.why[:LONGEST_REASON])}' if self.why else ""
        return f'{{"rule":{self.rule.name_json},"paid":{self.paid}{why}}}'


def dump_verdicts(verdicts: Iterable[Verdict]) -> str:
    """As the ledger keeps them: JSON, compact, with nothing that has no UTF-8."""
    listed = list(verdicts)
    text = f"[{','.join([verdict.dump() for verdict in listed])}]"
    return text if is_unicode(text) else dump_json([verdict.describe() for verdict in listed])


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
