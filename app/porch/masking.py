"""Hides secrets and the values of tokens in a text; app/logs.py does so with each line of the log."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from app.porch.json import read_float, read_json

MASK = "***"
SHORTEST_MASKED = 6  # characters: a shorter "secret" would mask ordinary words
MOST_HIDDEN = 100  # texts to look for in one; where there are more, all of it is hidden
PERCENT, URL_SAFE = re.compile("%[0-9A-F]{2}"), str.maketrans("+/", "-_")
CREDENTIALS = ("token", "secret", "password", "authorization")
NAMED = re.compile(
    r"""((?:token|secret|password|authorization)\\*["']?\s*[:=]\s*)"""
    r"""("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|\\+"[^"]*"?|[^\s,;&}<]+)""",
    re.IGNORECASE | re.DOTALL,
)


def is_credential(name: str) -> bool:
    """Whether a field of this name holds what nobody should read: token, ss_token, appSecret."""
    return name.lower().endswith(CREDENTIALS)


def mask_secrets(value: Any, hidden: Sequence[str]) -> Any:
    """The value as JSON can write it, with every secret in it replaced, however deep."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        pairs = value.items()
        return {mask_secrets(str(key), hidden): mask_secrets(inner, hidden) for key, inner in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_secrets(inner, hidden) for inner in value]
    text = str(value)
    for secret in hidden:
        text = text.replace(secret, MASK)
    return text


def mask_tokens(value: Any, mask_string: Callable[[str], str] | None = None) -> Any:
    """A JSON value with the values of its credentials replaced, however deep.

    `mask_string` changes every other string.
    """
    top = [value]
    waiting: list[tuple[Any, Any]] = [(top, 0)]  # no recursion: JSON goes deeper than our stack
    while waiting:
        holder, place = waiting.pop()
        inner = holder[place]
        if isinstance(inner, Mapping):
            copy: Any = {
                name: MASK if is_credential(str(name)) and one else one
                for name, one in inner.items()
            }
            waiting += [(copy, name) for name in copy]
        elif isinstance(inner, list):
            copy = list(inner)
            waiting += [(copy, number) for number in range(len(copy))]
        elif isinstance(inner, str) and mask_string:
            copy = mask_string(inner)
        else:
            continue
        holder[place] = copy
    return top[0]


def mask_text(text: str, hidden: Sequence[str], ours: Iterable[str] = ()) -> str:
    """A text, JSON or not, without the values of its credentials, without `hidden` and without `ours`.

    What has no UTF-8 is escaped in it, so that any database takes it. Of more than MOST_HIDDEN
    `hidden`, which strangers may bring, none is looked for: all is hidden. `ours` are the config's.
    """
    if len(set(hidden)) > MOST_HIDDEN:
        return MASK
    try:
        value = read_json(text.encode(), read_float)
        if not isinstance(value, dict | list):
            raise ValueError
        text = json.dumps(mask_tokens(value, mask_named), ensure_ascii=False)
    except (ValueError, RecursionError):
        text = mask_named(text)
    masked = str(mask_secrets(text, list_spellings({*hidden, *ours})))
    return masked.encode("utf-8", "backslashreplace").decode()


def mask_named(text: str) -> str:
    """A text without what follows a credential's name in it, as in `token=...`."""
    return NAMED.sub(rf"\1{MASK}", text)


def list_spellings(hidden: Iterable[str]) -> list[str]:
    """These texts as they are, and in every form that others may write them in; the longest first."""
    spellings = {form for one in hidden for form in spell(one)}
    return sorted(spellings, key=len, reverse=True)


@lru_cache(maxsize=1024)
def spell(secret: str) -> frozenset[str]:
    """A secret, and what JSON, an address, hex and base64, also amid other bytes, make of it."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, *(json.dumps(secret, ensure_ascii=one)[1:-1] for one in (True, False))}
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        forms |= {quoted, PERCENT.sub(lambda found: found.group().lower(), quoted)}
    forms |= {raw.hex(), raw.hex().upper()}
    for shift in range(3):  # base64 writes three bytes at a time: what stands before moves ours
        whole = b64encode(bytes(shift) + raw).decode()
        own = whole[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]  # not mixed with neighbours
        forms |= {own, own.translate(URL_SAFE)}
    return frozenset(form for form in forms if len(form) >= min(len(secret), SHORTEST_MASKED))


def find_credentials(value: Any) -> Iterator[str]:
    """The texts that stand in a JSON value as credentials, worth hiding wherever they come up."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if is_credential(str(name)) and isinstance(inner, str):
                if len(inner) >= SHORTEST_MASKED:
                    yield inner
            else:
                yield from find_credentials(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from find_credentials(inner)


def cut_text(text: str, size: int) -> str:
    """At most `size` bytes of the text in UTF-8, never ending inside a character."""
    raw = text.encode("utf-8", "surrogatepass")
    return text if len(raw) <= size else raw[:size].decode("utf-8", "ignore")
