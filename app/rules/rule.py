"""The rules of rewards.toml, as values: what each is for, what it asks, what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from app.porch.json import dump_json
from app.porch.types import Event, Reward
from app.rules.calendar import Calendar
from app.rules.conditions import Condition
from app.rules.gifts import Choice, Gift
from app.rules.keys import Budget, Count, Limit, Party, Ranking, Streak
from app.rules.selecting import Selector, hash_names
from app.rules.when import When

PLAYER = "player."  # how the facts of a player begin


@dataclass(frozen=True)
class Rule:
    """Which events of its type it pays for, and what.

    `servers` None: those of every server; `sources` None: those of every source.
    """

    servers: frozenset[str] | None
    where: Mapping[str, Condition]
    gifts: tuple[Gift, ...]
    name: str = ""
    on: str = ""
    when: When | None = None
    player_where: Mapping[str, Condition] = field(default_factory=dict)  # what the player must be
    count: Count | None = None
    streak: Streak | None = None
    party: Party | None = None
    ranking: Ranking | None = None
    limits: tuple[Limit, ...] = ()
    choice: Choice | None = None
    fingerprint: str = ""  # of its text
    sources: frozenset[str] | None = None

    def is_for(self, event: Event) -> bool:
        """Whether it is for events of this server and source; what it asks besides may still not hold."""
        if self.servers is not None and event.server_id not in self.servers:
            return False
        return self.sources is None or event.source in self.sources

    def does_match(self, event: Event) -> bool:
        if not self.is_for(event):
            return False
        return all(holds(event.data.get(fact)) for fact, holds in self.where.items())

    @cached_property
    def name_json(self) -> str:
        return dump_json(self.name)

    @cached_property
    def is_plain(self) -> bool:
        """Whether the event alone decides about it: it has none of the keys that ask for more."""
        asks = (self.when, self.player_where, self.count, self.streak, self.party, self.ranking)
        return not any((*asks, self.limits, self.choice))

    @cached_property
    def selector(self) -> Selector:
        """What it counts, where it counts something."""
        sites = self.count is not None and self.count.of == "site"
        return Selector(self.on, self.servers, self.where, self.when, sites, self.sources)

    @cached_property
    def chain_name(self) -> str:
        """The name of the chains of its streak; rules with the same one share it."""
        assert self.streak is not None
        asked = self.streak
        return hash_names("streak", self.selector.counter, asked.unit, asked.votes, asked.may_miss)

    @cached_property
    def party_name(self) -> str:
        """The name of the queue of votes that its party's rounds are taken from."""
        assert self.party is not None
        return hash_names("party", self.selector.counter, self.party.every, self.party.unit)

    @cached_property
    def ranking_name(self) -> str:
        """The name of its ranking; rules for other places of it share it."""
        assert self.ranking is not None
        return hash_names("ranking", self.selector.counter, self.ranking.unit)

    @cached_property
    def limit_owner(self) -> str:
        """The name under which its payments are counted; it hangs on the rule's own."""
        return hash_names("limit", self.name)

    @cached_property
    def rewards(self) -> tuple[Reward, ...]:
        """All that it may give."""
        lines = self.choice.lines if self.choice else ()
        return tuple(gift.reward for gift in (*self.gifts, *(one.gift for one in lines)) if gift)


@dataclass(frozen=True)
class Rules:
    """All rules, by the event type they are for, and what holds for all of them."""

    by_type: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    calendar: Calendar = field(default_factory=Calendar)
    budgets: tuple[Budget, ...] = ()

    def choose_gifts(self, event: Event) -> list[Gift]:
        """What this event earns by the plain rules: every rule that matches pays, in the file's order."""
        if not event.earns:
            return []
        rules = self.by_type.get(event.type, ())
        return [
            gift
            for rule in rules
            if rule.is_plain and rule.does_match(event)
            for gift in rule.gifts
        ]

    @cached_property
    def all(self) -> tuple[Rule, ...]:
        """Every rule; those of one type in the file's order."""
        return tuple(rule for some in self.by_type.values() for rule in some)

    @cached_property
    def _servers(self) -> frozenset[str]:
        """The servers that rules name; to them all others are one."""
        return frozenset(server for rule in self.all for server in rule.servers or ())

    @cached_property
    def _sources(self) -> frozenset[str]:
        """The sources that rules name."""
        return frozenset(source for rule in self.all for source in rule.sources or ())

    @cached_property
    def _by_place(self) -> dict[tuple[str, str | None, str | None], tuple[Rule, ...]]:
        return {}

    @cached_property
    def _by_occasion(self) -> dict[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.all:
            names = [rule.name]
            names += [rule.party_name] if rule.party else []
            names += [rule.ranking_name] if rule.ranking else []
            for name in names:
                found.setdefault(name, []).append(rule)
        return found

    def find_named(self, name: str) -> Sequence[Rule]:
        """The rules whose own name this is, or that of their party or ranking."""
        return self._by_occasion.get(name, ())

    def find_rules(self, event: Event) -> tuple[Rule, ...]:
        """The rules that are for the type, server and source of an event, in the file's order."""
        server = event.server_id if event.server_id in self._servers else None
        source = event.source if event.source in self._sources else None
        found = self._by_place.get((event.type, server, source))
        if found is None:
            if event.type not in self.by_type:
                return ()
            found = tuple(rule for rule in self.by_type[event.type] if rule.is_for(event))
            self._by_place[event.type, server, source] = found
        return found

    @cached_property
    def is_plain(self) -> bool:
        """Whether each event alone decides what it earns."""
        return not self.budgets and all(rule.is_plain for rule in self.all)

    @property
    def rewards(self) -> list[Reward]:
        """Every reward of every rule."""
        return [reward for rule in self.all for reward in rule.rewards]
