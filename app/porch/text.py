"""Text for people: any text made fit for one line on a terminal, in a reply, in a sentence; times.

What somebody else wrote may hold what moves a cursor, begins a line, turns the direction of writing
or cannot be seen. Letters of every script stay as they are.
"""

import re
from datetime import UTC, datetime
from typing import Any

# Letters and marks by their category, and yet nothing to see (Default_Ignorable_Code_Point).
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
LONGEST_SHOWN = 60  # characters of a name in a sentence


def escape_text(text: str) -> str:
    r"""The text with everything that is no visible character, or a plain space, as \x1b or \u202e."""
    if text.isprintable() and (text.isascii() or not INVISIBLE.search(text)):
        return text
    return "".join(
        letter if letter.isprintable() and not INVISIBLE.match(letter) else spell_letter(letter)
        for letter in text
    )


def is_unicode(text: str) -> bool:
    """Whether it has a UTF-8: a lone surrogate is fit for JSON's escapes, but for no database."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def spell_letter(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def shorten(value: str) -> str:
    """A name in quotes, fit for a message of one line."""
    plain = escape_text(value[: LONGEST_SHOWN + 1])
    return f'"{plain if len(plain) <= LONGEST_SHOWN else plain[: LONGEST_SHOWN - 3] + "..."}"'


def format_time(ms: int | None) -> str | None:
    """ISO 8601 UTC of a time in ms, or None; None too for one that no calendar holds."""
    if ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_step(at: int, what: str, detail: str) -> dict[str, Any]:
    """One step: when (ISO 8601), in a word or two, in a sentence."""
    return {"at": format_time(at), "what": what, "detail": detail}
