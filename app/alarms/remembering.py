"""Counters as they were: how much each has risen lately, as Prometheus has it of its own."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise

from app.metrics.exposition import Sample

LONGEST = 15 * 60_000  # ms
Values = tuple[str, ...]


class Memory:
    """What this process saw of the counters, look by look; a restart forgets it."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, Mapping[tuple[str, Values], float]]] = deque()

    def note(self, ticks: int, samples: Iterable[Sample]) -> None:
        """A look at `ticks` (ms, never set)."""
        self._looks.append((ticks, {(one.family.name, one.values): one.number for one in samples}))
        while len(self._looks) > 2 and self._looks[1][0] <= ticks - LONGEST:
            self._looks.popleft()

    def find_rise(self, name: str, seconds: float) -> dict[Values, float] | None:
        """How much each counter of this name rose in so many seconds; None where not seen for so long.

        One that fell began anew.
        """
        start = self._looks[-1][0] - seconds * 1000 if self._looks else 0
        if not self._looks or self._looks[0][0] > start:
            return None
        seen = [look for ticks, look in self._looks if ticks >= start]
        before = [look for ticks, look in self._looks if ticks <= start]
        looks = [before[-1], *seen]
        rises: dict[Values, float] = {}
        for key in looks[-1]:
            if key[0] == name:
                numbers = [look.get(key, 0.0) for look in looks]
                pairs = pairwise(numbers)
                rises[key[1]] = sum(new - old if new >= old else new for old, new in pairs)
        return rises

    def find_now(self, name: str) -> dict[Values, float]:
        """Each number of this name as it was seen last."""
        last = self._looks[-1][1] if self._looks else {}
        return {values: number for (one, values), number in last.items() if one == name}
