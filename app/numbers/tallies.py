"""What is counted, of what, and how counts are added up."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException
from enum import StrEnum
from typing import Any, NamedTuple

from app.database.number_models import LONGEST_AMOUNT

HOUR, DAY = 3_600_000, 86_400_000  # ms
EXACT = Context(prec=70)  # digits: more than a sum of amounts ever has
SMALLEST, LARGEST = Decimal("1e-18"), Decimal("1e30")  # of an amount that is added up
# What a reward's parameters, or its receipt, call how much it is, as `{"amount": "100.00"}`.
AMOUNTS = ("amount", "quantity", "days")


class What(StrEnum):
    """What is counted: rows of four tables; and samples of what waits, which no table remembers."""

    EVENTS = "events"
    GRANTS = "grants"
    SENDS = "sends"
    ATTEMPTS = "attempts"
    INBOX = "inbox"  # how many events wait, and the age of the oldest
    REPORTS = "reports"  # the same of a reporter's reports


class Series(NamedTuple):
    """What is counted apart; what says nothing of it is empty."""

    what: str
    source: str = ""
    type: str = ""
    server_id: str = ""
    rule: str = ""
    kind: str = ""
    reporter: str = ""
    result: str = ""


@dataclass(slots=True)
class Tally:
    """A count, and what was added up beside it.

    Of grants `total` is how many payments of an event by a rule they belong to, and `amount` the sum of
    what they give. Of sends `total` and `longest` are latencies in ms. Of samples they are ages of the
    oldest in ms, or numbers of rows, by the series' result.
    """

    number: int = 0
    total: int = 0
    longest: int = 0
    amount: Decimal | None = None
    last_at: int = 0  # ms

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.number += other.number
        self.total += other.total
        self.longest = max(self.longest, other.longest)
        self.last_at = max(self.last_at, other.last_at)
        if other.amount is not None:
            self.amount = EXACT.add(self.amount or Decimal(0), other.amount)

    def write(self) -> dict[str, Any]:
        """Its columns."""
        return {
            "number": self.number, "total": self.total, "longest": self.longest,
            "amount": write_amount(self.amount), "last_at": self.last_at,
        }  # fmt: skip


TALLY_COLUMNS = "number, total, longest, amount, last_at"


def read_tally(number: int, total: int, longest: int, amount: str, last_at: int) -> Tally:
    """From its columns."""
    return Tally(
        int(number), int(total), int(longest), Decimal(amount) if amount else None, int(last_at)
    )


# By what is counted and the beginning of its hour, in ms.
Hours = dict[tuple[Series, int], Tally]


def add_up(hours: Hours, more: Iterable[tuple[tuple[Series, int], Tally]]) -> None:
    for key, tally in more:
        hours.setdefault(key, Tally()).add(tally)


def write_amount(amount: Decimal | None) -> str:
    """In decimal, as "100.00"; "" for none, and for one that no column takes."""
    text = "" if amount is None else f"{amount:f}"
    return text if len(text) <= LONGEST_AMOUNT else ""


def find_amount(params: str, receipt: str) -> Decimal | None:
    """How much a reward is, by its parameters or else its receipt, both JSON; None where neither says."""
    for text in (params, receipt):
        amount = read_amount(text) if text else None
        if amount is not None:
            return amount
    return None


def read_amount(text: str) -> Decimal | None:
    try:
        said = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, DecimalException):
        return None
    if not isinstance(said, dict):
        return None
    values = (said[name] for name in AMOUNTS if name in said)
    return next(filter(None, map(mean_amount, values)), None)


def mean_amount(value: Any) -> Decimal | None:
    """A value of JSON as an amount; None for what is none, or beyond all measure."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except (DecimalException, ValueError):
        return None
    if not amount.is_finite() or not SMALLEST <= abs(amount) < LARGEST:
        return None
    exponent = amount.as_tuple().exponent
    return amount if isinstance(exponent, int) and exponent >= SMALLEST.adjusted() else None
