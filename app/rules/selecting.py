"""What a rule counts, and the name of the counter that counts it.

A counter is known by the hash of what it counts: rules that count the same share it, renaming a rule changes
nothing, and a rule that counts something else has a new one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from app.porch.types import Event
from app.rules.calendar import Calendar
from app.rules.conditions import Condition
from app.rules.when import When


@lru_cache(maxsize=4096)
def hash_names(*parts: str | int) -> str:
    """As hash_text, for what is asked with each event."""
    return hash_text(*parts)


def hash_text(*parts: Any) -> str:
    """16 hexadecimal digits that stand for these parts, which are JSON."""
    text = json.dumps(parts, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Selector:
    """Which events are counted; it follows from the ledger alone."""

    on: str
    servers: frozenset[str] | None = None
    where: Mapping[str, Condition] | None = None
    when: When | None = None
    by_site: bool = False  # different sites are counted, and not events
    sources: frozenset[str] | None = None

    @cached_property
    def counter(self) -> str:
        """The name of its counter."""
        asked = {fact: one.means for fact, one in (self.where or {}).items()}
        when = self.when.means if self.when else None
        servers = sorted(self.servers) if self.servers is not None else None
        # Without sources it is as it was before there were any, so that no counter changes its name.
        sources = [sorted(self.sources)] if self.sources is not None else []
        return hash_text("count", self.on, servers, asked, when, self.by_site, *sources)

    def does_count(self, event: Event, moment: int, calendar: Calendar) -> bool:
        """Whether it counts an event of its type that happened at this moment (ms)."""
        if self.servers is not None and event.server_id not in self.servers:
            return False
        if self.sources is not None and event.source not in self.sources:
            return False
        if self.when and self.when.find_fault(calendar, moment):
            return False
        facts = (self.where or {}).items()
        return all(holds(event.data.get(fact)) for fact, holds in facts)
