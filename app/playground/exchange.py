"""What a vote site's stand-in sent, and what it was answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VOTER_ADDRESS = "203.0.113.7"  # of nobody: one for documents
Vote = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Both as text; `status` is 0 where nobody was there, `badge` is the answer in a word."""

    sent: str
    said: str
    status: int
    took: int  # ms
    is_accepted: bool
    badge: str = "\N{EN DASH}"
