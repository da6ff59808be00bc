"""Sums of money on SQLite, which keeps a decimal number as a float of 15 digits: exact, or an error."""

import math
import re
from decimal import Decimal
from typing import Any

DIGITS = 15  # what SQLite's REAL keeps of a decimal number (sqlite.org, Datatypes, 3)
LARGEST = Decimal(10) ** 15
LARGEST_WHOLE = 2**53  # up to it each whole number has a float of its own
# How far floats are off after some sums, in units of their last place; after many, in a share of the
# column's last decimal. Where no decimals were declared, less is taken for noise.
NOISE, LITTLE_NOISE = 64, 8
SHARE = 100
PLACES = re.compile(r"\s*(?:DECIMAL|NUMERIC)\s*\(\s*\d+\s*,\s*(\d+)\s*\)", re.IGNORECASE)
WHOLE = re.compile(r"\s*(?:TINY|SMALL|MEDIUM|BIG)?INT(?:EGER)?\b", re.IGNORECASE)


def read_places(declared: str) -> int | None:
    """The decimals of a column declared as this type; None where it does not say."""
    if found := PLACES.match(declared):
        return int(found[1])
    return 0 if WHOLE.match(declared) else None


def add_decimals(balance: Any, amount: str, places: int | None = None) -> int | str:
    """The sum of a column's value, NULL counts as 0, and an amount; `places` are the column's decimals.

    Raises ValueError for more digits than SQLite keeps.
    """
    total = mean_decimal(balance, places) + Decimal(amount)
    if isinstance(balance, float) and abs(total) > LARGEST_WHOLE:
        raise ValueError("more digits than a column of floats keeps")
    if total == total.to_integral_value() and abs(total) < 2**63:
        return int(total)
    if len(total.normalize().as_tuple().digits) > DIGITS:
        raise ValueError("more digits than SQLite keeps")
    return str(total)


def mean_decimal(balance: Any, places: int | None) -> Decimal:
    """The decimal that a stored value means: 0.19999999999999998 is what SQL makes of 0.3 - 0.1.

    It is the one next to it that the column was declared for, or else the shortest within 15 digits. A
    value that somebody has really stored, as 0.125 in DECIMAL(18,2), stays as it is.
    """
    if not isinstance(balance, float) or not math.isfinite(balance):
        return Decimal(str(balance or 0))
    exact, last_place = Decimal(repr(balance)), Decimal(math.ulp(balance))
    if abs(exact) >= LARGEST:
        return exact  # what 15 digits would round away is no noise there
    if places is not None:
        unit = Decimal(1).scaleb(-places)
        meant = exact.quantize(unit)
        if abs(exact - meant) <= min(max(unit / SHARE, last_place * NOISE), unit / 4):
            return meant
    meant = Decimal(f"{balance:.{DIGITS}g}")
    return meant if abs(exact - meant) <= last_place * LITTLE_NOISE else exact
