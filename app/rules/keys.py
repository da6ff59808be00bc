"""What a rule may ask beyond facts: counts, streaks, parties, rankings, limits; as values."""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from app.porch.types import Reward
from app.rules.calendar import Unit
from app.rules.selecting import hash_names

UNITS_PER_ONE = 1_000_000  # a budget is kept in millionths
LARGEST = 2**62


class Counted(StrEnum):
    """What a count counts."""

    VOTES = "votes"
    SITES = "site"  # different ones


class Payees(StrEnum):
    """Whom a party pays."""

    VOTERS = "voters"
    SERVER = "server"


class Ties(StrEnum):
    """Who gets a place that two have reached."""

    SHARE = "share"  # both, and the next place is empty
    FIRST = "first"  # who reached it earlier


@dataclass(frozen=True)
class Marks:
    """At which numbers a rule pays: at these, or at every multiple of one."""

    at: tuple[int, ...] = ()
    every: int = 0

    def count_reached(self, number: int) -> int:
        """How many marks there are up to this number."""
        return number // self.every if self.every else sum(mark <= number for mark in self.at)

    def includes(self, number: int) -> bool:
        return number % self.every == 0 if self.every else number in self.at

    def find_next(self, number: int) -> int | None:
        """The next mark after this number; None where there is no more."""
        if self.every:
            return (number // self.every + 1) * self.every
        return min((mark for mark in self.at if mark > number), default=None)


@dataclass(frozen=True)
class Count:
    """Pays when the event is the one that makes a player's total one of the marks."""

    marks: Marks
    unit: Unit = Unit.EVER
    of: Counted = Counted.VOTES


@dataclass(frozen=True)
class Streak:
    """Pays when a chain of periods with `votes` votes each reaches a mark; `may_miss` ones in a row."""

    marks: Marks
    unit: Unit = Unit.DAY
    votes: int = 1
    may_miss: int = 0


@dataclass(frozen=True)
class Party:
    """Pays for each round of `every` votes of everybody."""

    every: int
    unit: Unit = Unit.EVER
    to: Payees = Payees.VOTERS


@dataclass(frozen=True)
class Ranking:
    """Pays the places `first` to `last` when a period is over."""

    unit: Unit
    first: int = 1
    last: int = 1
    ties: Ties = Ties.SHARE


@dataclass(frozen=True)
class Limit:
    """A rule pays at most so often; by the calendar, or within any `length` ms where that is not 0."""

    most: int
    for_all: bool
    unit: Unit = Unit.EVER
    length: int = 0
    text: str = ""  # as it was written


@dataclass(frozen=True)
class Budget:
    """What all rules that give a reward may give of it, summed over one of its parameters."""

    name: str
    reward: str
    sum: str
    most: Decimal
    unit: Unit
    text: str = ""  # of at_most, as it was written

    @cached_property
    def owner(self) -> str:
        """The name under which what is given of it is counted."""
        return hash_names("budget", self.name)

    @cached_property
    def cap(self) -> int:
        """What may be given in a period, in millionths."""
        return int(self.most * UNITS_PER_ONE)

    def measure(self, reward: Reward) -> int:
        """What a reward takes of it, in millionths; 0 where it is for another kind."""
        if reward.kind != self.reward:
            return 0
        return int(Decimal(str(reward.params[self.sum])) * UNITS_PER_ONE)

    def find_misfit(self, reward: Reward) -> str:
        """Why it cannot measure this reward of its kind; "" where it can."""
        value: Any = reward.params.get(self.sum)
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        if isinstance(value, str):
            with suppress(ArithmeticError):
                value, is_number = Decimal(value), True
        if not is_number or not Decimal(str(value)).is_finite():
            return f"{self.reward} has no number {self.sum}"
        amount = Decimal(str(value)) * UNITS_PER_ONE
        if amount != amount.to_integral_value() or not 0 <= amount < LARGEST:
            return f"{self.sum} must be 0 or more, with at most 6 decimals, for a budget to sum it"
        return ""
