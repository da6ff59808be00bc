"""Draws: which line of `give_one` an event gets; the same for ever, and provable afterwards.

The number is HMAC-SHA256 of a secret over what is drawn for. The event's id is the vote site's, so neither
player nor studio chooses it; it is the same in each retry, on each host, after each crash. The secret's
SHA-256 may be published before a season and the secret after it: then anybody can draw again.
"""

import hashlib
import hmac
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RANGE = 2**64


def find_commitment(secret: bytes) -> str:
    """The SHA-256 of a secret, in hexadecimal: what to publish before it is used."""
    return hashlib.sha256(secret).hexdigest()


def find_fingerprint(secret: bytes) -> str:
    """The beginning of its SHA-256: what a draw is marked with."""
    return find_commitment(secret)[:16]


@dataclass(frozen=True)
class Draw:
    """One draw: `number` of 0 to `total` - 1, the `line` (from 0) it fell on, whose secret drew it."""

    number: int
    total: int
    line: int
    secret: str  # its fingerprint

    def describe(self) -> dict[str, Any]:
        """As a receipt keeps it; lines are counted from 1, as people do."""
        return {
            "number": self.number,
            "of": self.total,
            "line": self.line + 1,
            "secret": self.secret,
        }


def draw_line(
    secret: bytes, rule: str, type: str, id: str, weights: Sequence[int], number: int = 0
) -> Draw:
    """The `number`-th draw of a rule for an event; `weights` are whole numbers of at least 1."""
    total = sum(weights)
    drawn = draw_number(secret, ["draw 1", rule, type, id, number], total)
    rest, line = drawn, 0
    while rest >= weights[line]:
        rest -= weights[line]
        line += 1
    return Draw(drawn, total, line, find_fingerprint(secret))


def draw_number(secret: bytes, about: list[Any], total: int) -> int:
    """A number of 0 to `total` - 1, each as likely: 64 bits that would favour low ones are passed over."""
    fair = RANGE - RANGE % total
    for more in itertools.count():
        text = json.dumps([*about, more] if more else about, separators=(",", ":"))
        digest = hmac.digest(secret, text.encode(), "sha256")
        for start in range(0, len(digest), 8):
            value = int.from_bytes(digest[start : start + 8])
            if value < fair:
                return value % total
    raise AssertionError("unreachable: it counts for ever")
