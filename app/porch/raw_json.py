"""JSON within JSON, byte for byte: a platform's reply is passed on as it came."""

import json
import secrets
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawJson:
    """The text of a JSON value, which stands in an answer as it is."""

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
