"""The counters that the rules need, each counted once whatever number of rules asks it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from app.porch.types import Event
from app.rules.calendar import Unit
from app.rules.keys import Streak
from app.rules.rule import Rule, Rules
from app.rules.selecting import Selector, hash_text


@dataclass(frozen=True)
class Counter:
    """One thing that is counted for each player, in the periods that some rule asks."""

    selector: Selector
    units: tuple[Unit, ...]
    streaks: tuple[tuple[str, Streak], ...] = ()  # the chains that its periods make

    @cached_property
    def name(self) -> str:
        return self.selector.counter


class Counters:
    """All of them, by the type of event."""

    def __init__(self, rules: Rules) -> None:
        self.by_type = {on: tuple(list_counters(some)) for on, some in rules.by_type.items()}
        self.calendar = rules.calendar
        self._limits = [[rule.name, one.text] for rule in rules.all for one in rule.limits]
        # A chain keeps what each rule has paid for it, by its name.
        self._payers = [[rule.name, rule.chain_name] for rule in rules.all if rule.streak]

    @property
    def all(self) -> list[Counter]:
        return [counter for some in self.by_type.values() for counter in some]

    def does_count(self, event: Event, moment: int) -> bool:
        """Whether an event, which happened at this moment (ms), moves a counter of its player."""
        return event.earns and any(
            one.selector.does_count(event, moment, self.calendar)
            for one in self.by_type.get(event.type, ())
        )

    @property
    def fingerprint(self) -> str:
        """Stands for what is counted, and by which clock; and for the rules whose payments are."""
        what = sorted(
            [one.name, sorted(one.units), sorted(chain for chain, _ in one.streaks)]
            for one in self.all
        )
        paid = [sorted(self._limits), sorted(self._payers)]
        return hash_text("counters", self.calendar.text, what, *paid)


def list_counters(rules: tuple[Rule, ...]) -> Iterator[Counter]:
    """What these rules of one type count."""
    selectors: dict[str, Selector] = {}
    units: dict[str, set[Unit]] = {}
    streaks: dict[str, dict[str, Streak]] = {}
    for rule in rules:
        asked = rule.count or rule.streak or rule.ranking
        if asked is None:
            continue
        name = rule.selector.counter
        selectors[name] = rule.selector
        units.setdefault(name, set()).add(asked.unit)
        if rule.streak:
            streaks.setdefault(name, {})[rule.chain_name] = rule.streak
    for name, selector in selectors.items():
        yield Counter(selector, tuple(sorted(units[name])), tuple(streaks.get(name, {}).items()))
