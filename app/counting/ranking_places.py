"""Places of a ranking; pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """A player's place in a period, by each way of telling equal ones apart."""

    player: str
    votes: int
    shared: int
    first: int


def rank_players(rows: Sequence[tuple[str, int, int]]) -> list[Standing]:
    """Places of (player, votes, when the last was cast): who reached a number earlier is before."""
    ordered = sorted(rows, key=lambda row: (-row[1], row[2], row[0]))
    standings: list[Standing] = []
    for place, (player, votes, _) in enumerate(ordered, 1):
        is_equal = bool(standings) and standings[-1].votes == votes
        shared = standings[-1].shared if is_equal else place
        standings.append(Standing(player, votes, shared, place))
    return standings
