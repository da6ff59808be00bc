"""Fields of what a source sends, taken out strictly: what is missing or of another kind is refused.

An id that came as 1.0 or true is nobody's id, and 1 and "1" are the same.
"""

import secrets
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from app.porch.errors import BadDelivery
from app.porch.text import is_unicode

Kind = TypeVar("Kind", str, int, bool, dict[str, Any], list[Any])
MISSING: Any = object()
NAMES = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
LONGEST = 255  # characters, unless told otherwise: what a column of the ledger holds


def take(body: Any, path: str, kind: type[Kind], default: Any = MISSING) -> Kind:
    """The value at "data.user.id" in what JSON or a form brought, of just this kind; true is no int.

    Raises BadDelivery, which names the field, where it is missing and has no `default`, or is another.
    """
    value = find(body, path)
    if value is MISSING and default is not MISSING:
        return default  # type: ignore[no-any-return]
    if value is MISSING:
        raise BadDelivery(f"{path} is missing")
    if type(value) is not kind:
        raise BadDelivery(f"{path} is not {NAMES[kind]}")
    return value


def take_text(body: Any, path: str, default: Any = MISSING, longest: int = LONGEST) -> str:
    """A text that is no longer than `longest` characters, without control characters.

    Empty, or blank, is missing. Raises BadDelivery.
    """
    text: str = take(body, path, str, default)
    return check_text(text, path, default is not MISSING, longest)


def take_id(body: Any, path: str, default: Any = MISSING, longest: int = LONGEST) -> str:
    """An id as text, which may have come as a whole number; else as take_text."""
    value = find(body, path)
    if type(value) is int:
        return check_text(str(value), path, False, longest)
    return take_text(body, path, default, longest)


def check_text(text: str, path: str, may_be_empty: bool, longest: int) -> str:
    if not text.strip() and not may_be_empty:
        raise BadDelivery(f"{path} is empty")
    if len(text) > longest:
        raise BadDelivery(f"{path} is longer than {longest} characters")
    if not is_unicode(text) or any(unicodedata.category(one) == "Cc" for one in text):
        raise BadDelivery(f"{path} holds a control character, or is not valid Unicode")
    return text


def find(body: Any, path: str) -> Any:
    """What stands at a path, or MISSING; null is missing, too."""
    for name in path.split("."):
        if not isinstance(body, Mapping):
            return MISSING
        body = body.get(name, MISSING)
    return MISSING if body is None else body


def read_time(text: str) -> int | None:
    """A time as sites write it, in ms since the epoch; None where it is none.

    It may be in seconds, in ms, or a date and time with its zone; without one it is of UTC.
    """
    if text.isascii() and text.isdigit() and len(text) < 15:
        number = int(text)
        return (number if number > 10**11 else number * 1000) or None
    for form in (text, text.replace(" ", "T", 1).replace(" ", "")):
        with suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(form)
            moment = int(time.replace(tzinfo=time.tzinfo or UTC).timestamp() * 1000)
            return moment if moment > 0 else None
    return None


def make_id(now: int) -> str:
    """An id for what has none, of the time it came (ms) and at random: later ones are greater."""
    return f"{now:012x}-{secrets.token_hex(8)}"
