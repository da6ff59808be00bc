"""Text such as `state:dead player:"Bob the Great"`: taken apart, and put together again."""

import re
from collections.abc import Mapping, Sequence

from app.porch.errors import GuerdonError
from app.porch.text import shorten

LONGEST_TEXT = 4000  # characters
PART = re.compile(r'\s*(?:(\w+):(?:"((?:[^"\\]|\\.)*+)"(?=\s|\Z)|([^\s"]+)(?=\s|\Z))|(\S+))')
PLAIN = re.compile(r'[^\s"]+')


class BadFilter(GuerdonError):
    """No filter can be made of this."""


def split_qualifiers(text: str, names: Sequence[str]) -> dict[str, str]:
    """The values of a text by their names, which must be of `names`; raises BadFilter."""
    if len(text) > LONGEST_TEXT:
        raise BadFilter(f"a filter has at most {LONGEST_TEXT:,} characters")
    values: dict[str, str] = {}
    text, place = text.strip(), 0
    while place < len(text):
        found = PART.match(text, place)
        assert found is not None  # the last way of it takes anything
        place = found.end()
        name, quoted, plain, wrong = found.groups()
        if wrong is not None:
            raise BadFilter(explain_wrong(wrong, names))
        if name not in names:
            raise BadFilter(f"{shorten(name)} is nothing to look for: {', '.join(names)}")
        if name in values:
            raise BadFilter(f"{name}: it is said twice")
        values[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    return values


def explain_wrong(part: str, names: Sequence[str]) -> str:
    name, colon, value = part.partition(":")
    if colon and name in names:
        if not value:
            return f'{name}: it has no value: write {name}:VALUE, or {name}:"A VALUE"'
        return f'{name}: {shorten(value)} has a quote that does not end, or ends too soon: {name}:"A VALUE"'
    return f"{shorten(part)} is no condition: write NAME:VALUE, of {', '.join(names)}"


def join_qualifiers(values: Mapping[str, str]) -> str:
    """The text that split_qualifiers makes these values of."""
    return " ".join(f"{name}:{quote_value(value)}" for name, value in values.items())


def quote_value(value: str) -> str:
    if PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
