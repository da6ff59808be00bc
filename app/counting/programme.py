"""A voting programme: the rules with what they count, and the secret of their draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from app.counting.counters import Counters
from app.counting.occasions import SOURCE, list_paying_rules
from app.porch.types import Event
from app.rules.gifts import Gift
from app.rules.rule import Rule, Rules


@dataclass(frozen=True)
class Programme:
    """The rules with what they count, and the secret of their draws."""

    rules: Rules
    secret: bytes = field(default=b"", repr=False)

    @cached_property
    def lacks_secret(self) -> bool:
        """Whether rules draw, and nobody has said by which secret: then the database's own is used."""
        return not self.secret and any(rule.choice for rule in self.rules.all)

    @cached_property
    def counters(self) -> Counters:
        return Counters(self.rules)

    @cached_property
    def fingerprint(self) -> str:
        """Stands for what is counted of players; "" where each event alone decides what it earns."""
        return "" if self.rules.is_plain else self.counters.fingerprint

    def wants_player(self, event: Event, moment: int) -> bool:
        """Whether an event may earn something, or is counted: then somebody must be its player."""
        if event.source == SOURCE:
            return event.earns and bool(event.user_id)
        rules = self.rules.by_type.get(event.type, ()) if event.earns else ()
        return any(rule.selector.does_count(event, moment, self.rules.calendar) for rule in rules)

    def choose_gifts(self, event: Event) -> list[Gift]:
        """What an event earns where each decides alone, as of a rule's past that is paid."""
        if event.source != SOURCE:
            return self.rules.choose_gifts(event)
        rules = list_paying_rules(self.rules, event) if event.earns else ()
        times = int(event.data.get("times", 1))
        return [gift for rule in rules for gift in rule.gifts] * times

    @cached_property
    def _by_name(self) -> dict[str, Rule]:
        return {rule.name: rule for rule in self.rules.all}

    def find_rule(self, name: str) -> Rule | None:
        """The rule of this name, if there is one."""
        return self._by_name.get(name)

    def list_rules(self, event: Event) -> Sequence[Rule]:
        """The rules that are for the type and the server of an event."""
        if event.source == SOURCE:
            return list_paying_rules(self.rules, event) if event.earns else ()
        return self.rules.find_rules(event)
