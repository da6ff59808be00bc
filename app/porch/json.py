"""JSON: strict in, refusing what only Python would accept; and JSON within JSON, byte for byte."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

HOLDERS = (dict, list)
DEEPEST = 100  # levels of a body that comes in


def read_json(raw: bytes, fraction: Callable[[str], Any] = Decimal) -> Any:
    """The value of a JSON text in UTF-8; `fraction` makes numbers with a fraction or exponent.

    Raises ValueError for anything else: NaN, a byte order mark, broken UTF-8, too deep a
    nesting.
    """
    try:
        return make_decoder(fraction).decode(raw.decode())
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("a number is beyond all measure") from None


@lru_cache(maxsize=8)
def make_decoder(fraction: Callable[[str], Any]) -> json.JSONDecoder:
    """Making one takes as long as reading a delivery with it."""
    return json.JSONDecoder(
        parse_float=fraction,
        parse_constant=refuse,
        # -0 is no integer anywhere but in Python.
        parse_int=lambda text: fraction(text) if text == "-0" else int(text),
    )


def read_float(text: str) -> float:
    """A float that JSON can write again."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def is_deep(value: Any) -> bool:
    """Whether a JSON value is nested more deeply than what works on it later can follow."""
    if isinstance(value, dict) and not any(isinstance(one, HOLDERS) for one in value.values()):
        return False  # as most are
    layer = [value]
    for _ in range(DEEPEST):
        holders = [
            one.values() if isinstance(one, dict) else one
            for one in layer
            if isinstance(one, HOLDERS)
        ]
        layer = [one for holder in holders for one in holder]
    return bool(layer)


@dataclass(frozen=True, slots=True)
class RawJson:
    """The text of a JSON value, which stands in an answer as it is: a platform's reply, as it came."""

    text: str


def dump_raw_json(value: Any) -> str:
    """JSON of a value that may hold RawJson anywhere."""
    mark = secrets.token_hex(16)
    texts: list[str] = []

    def hold_place(raw: Any) -> str:
        if not isinstance(raw, RawJson):
            raise TypeError(f"{type(raw).__name__} has no JSON")
        texts.append(raw.text)
        return mark

    pieces = json.dumps(value, default=hold_place, allow_nan=False).split(f'"{mark}"')
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def dump_json(value: Any) -> str:
    """Compact JSON; Decimals and dates become strings, and text that has no UTF-8 is escaped.

    Raises TypeError or ValueError for what JSON cannot hold, as NaN, or a tuple for a key.
    """
    text = ENCODER.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), separators=(",", ":"))
    return text


def describe_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | time | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=describe_value
)
