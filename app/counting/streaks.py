"""Chains of counted days, weeks or months, and what a rule still owes for one; pure.

A chain is a function of the set of counted periods, so the order in which votes arrive does not matter.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.counting.state import Chain
from app.rules.keys import Marks


class Joined(NamedTuple):
    """A chain that a newly counted period has made, and the chains it was made of."""

    chain: Chain
    parts: tuple[Chain, ...]

    def count_due(self, rule: str, marks: Marks) -> int:
        """How often the rule is to pay now: for the marks it has crossed, but for what it paid already.

        A rule that was added later owes nothing for what its parts had reached by themselves.
        """
        reached = marks.count_reached(self.chain.length)
        before = sum(marks.count_reached(part.length) for part in self.parts)
        return max(0, reached - max(before, self.chain.paid.get(rule, 0)))


def join_chains(chains: Sequence[Chain], number: int, may_miss: int) -> Joined:
    """What `chains` become where this period, which was not counted before, is counted too."""
    near = tuple(
        one for one in chains if one.start - may_miss - 1 <= number <= one.last + may_miss + 1
    )
    return Joined(merge_chains([*near, Chain(number, number, 1, {})]), near)


def merge_chains(chains: Sequence[Chain]) -> Chain:
    paid: dict[str, int] = {}
    for one in chains:
        for rule, times in one.paid.items():
            paid[rule] = paid.get(rule, 0) + times
    return Chain(
        min(one.start for one in chains), max(one.last for one in chains),
        sum(one.length for one in chains), paid,
    )  # fmt: skip


def replace_chains(chains: Sequence[Chain], joined: Joined) -> tuple[Chain, ...]:
    """The chains with a new one in the place of its parts."""
    kept = [one for one in chains if one not in joined.parts]
    return tuple(sorted([*kept, joined.chain]))


def build_chains(numbers: Iterable[int], may_miss: int) -> tuple[Chain, ...]:
    """The chains of a set of counted periods, none of them paid."""
    chains: list[Chain] = []
    for number in sorted(set(numbers)):
        if chains and number <= chains[-1].last + may_miss + 1:
            latest = chains[-1]
            chains[-1] = latest._replace(last=number, length=latest.length + 1)
        else:
            chains.append(Chain(number, number, 1, {}))
    return tuple(chains)


def unite_chains(chains: Iterable[Chain], may_miss: int) -> tuple[Chain, ...]:
    """These chains, of which no two count the same period, as one wherever they are near enough."""
    united: list[Chain] = []
    for one in sorted(chains):
        if united and one.start <= united[-1].last + may_miss + 1:
            united[-1] = merge_chains([united[-1], one])
        else:
            united.append(one)
    return tuple(united)


def find_current(chains: Sequence[Chain], number: int, may_miss: int) -> Chain | None:
    """The chain that a period of this number would go on, or is in; None where it would begin one."""
    alive = [one for one in chains if one.start <= number <= one.last + may_miss + 1]
    return alive[-1] if alive else None
