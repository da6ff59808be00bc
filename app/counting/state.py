"""What has been counted so far, as values that a decision reads and moves."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

EVERYBODY = ""  # the player of what all share

K = TypeVar("K")
V = TypeVar("V")


class TallyKey(NamedTuple):
    """A player's total in a period; `period` as Calendar names it."""

    counter: str
    period: str
    player: str


class Tally(NamedTuple):
    """How many were counted, and when the latest of them happened (ms)."""

    votes: int = 0
    last_at: int = 0


class SeenKey(NamedTuple):
    """One of the different things that a player was counted for in a period."""

    counter: str
    period: str
    player: str
    thing: str


class ChainsKey(NamedTuple):
    """The chains of a streak."""

    counter: str
    player: str


class Chain(NamedTuple):
    """Counted periods by their numbers, few enough missed between them; `paid`: how often, by rule."""

    start: int
    last: int
    length: int
    paid: Mapping[str, int]

    def add_paid(self, rule: str, times: int) -> "Chain":
        return self._replace(paid={**self.paid, rule: self.paid.get(rule, 0) + times})


class UseKey(NamedTuple):
    """How much of a limit or a budget is used; `player` EVERYBODY where all share it."""

    owner: str
    period: str
    player: str


class Use(NamedTuple):
    """`amount` payments, or millionths of a budget; `event` is who used it last."""

    amount: int = 0
    event: str = ""


class MomentsKey(NamedTuple):
    """When a rule paid, for a limit that goes by elapsed time."""

    owner: str
    player: str


NO_TALLY = Tally()
NO_USE = Use()


class PartyVote(NamedTuple):
    """A vote that counts towards a party."""

    party: str
    period: str
    player: str
    moment: int


class Overlay(Generic[K, V]):
    """What one event changes, over what was there before: a ChainMap of two, at a fifth of its cost."""

    __slots__ = ("_below", "changes")

    def __init__(self, below: Mapping[K, V]) -> None:
        self._below = below
        self.changes: dict[K, V] = {}

    def get(self, key: K, default: V, /) -> V:
        if key in self.changes:
            return self.changes[key]
        return self._below.get(key, default)

    def __setitem__(self, key: K, value: V, /) -> None:
        self.changes[key] = value


@dataclass
class State:
    """All counters that a decision may ask; what is not there is 0."""

    tallies: MutableMapping[TallyKey, Tally] = field(default_factory=dict)
    seen: MutableMapping[SeenKey, bool] = field(default_factory=dict)
    chains: MutableMapping[ChainsKey, tuple[Chain, ...]] = field(default_factory=dict)
    uses: MutableMapping[UseKey, Use] = field(default_factory=dict)
    moments: MutableMapping[MomentsKey, tuple[int, ...]] = field(default_factory=dict)
    closed: frozenset[tuple[str, str]] = frozenset()  # rankings and their periods

    def begin(self) -> "Draft":
        """What one event changes; nothing of it is in here before it is kept."""
        return Draft(
            Overlay(self.tallies),
            Overlay(self.seen),
            Overlay(self.chains),
            Overlay(self.uses),
            Overlay(self.moments),
            self.closed,
        )

    def copy(self) -> "State":
        """As it is now; its values are never changed."""
        copies = {name: dict(getattr(self, name)) for name in KINDS}
        return State(**copies, closed=self.closed)

    def keep(self, draft: "Draft") -> None:
        """All that an event has changed holds from now on."""
        self.tallies.update(draft.tallies.changes)
        self.seen.update(draft.seen.changes)
        self.chains.update(draft.chains.changes)
        self.uses.update(draft.uses.changes)
        self.moments.update(draft.moments.changes)


KINDS = ("tallies", "seen", "chains", "uses", "moments")


@dataclass(slots=True)
class Draft:
    """A State that one event has moved, and what it adds to parties."""

    tallies: Overlay[TallyKey, Tally]
    seen: Overlay[SeenKey, bool]
    chains: Overlay[ChainsKey, tuple[Chain, ...]]
    uses: Overlay[UseKey, Use]
    moments: Overlay[MomentsKey, tuple[int, ...]]
    closed: frozenset[tuple[str, str]]
    party_votes: list[PartyVote] = field(default_factory=list)
