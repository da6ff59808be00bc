"""What templates write with: a moment, an age, a size, and what strangers wrote made fit to be read."""

import json
from typing import Any

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from app.porch.text import escape_text, format_time

LONGEST_SHOWN = 20_000  # characters of a body
PRETTY = 2  # spaces
NOTHING = Markup("\N{EN DASH}")


def write_moment(moment: int | str | None) -> Markup:
    """A `time` element of ms since the epoch, or of ISO 8601: in UTC, until times.js knows the zone."""
    text = moment if isinstance(moment, str) else format_time(moment)
    if not text:
        return NOTHING
    plain = text[:19].replace("T", " ")
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(text, plain, plain)


def write_age(since: int | None, now: int) -> str:
    """How long ago (both in ms), in its largest unit: of what waits."""
    if since is None:
        return ""
    seconds = max(0, now - since) // 1000
    if seconds < 120:
        said = ngettext("%(num)d s", "%(num)d s", seconds)
    elif seconds < 2 * 3600:
        said = ngettext("%(num)d min", "%(num)d min", seconds // 60)
    elif seconds < 2 * 86400:
        said = ngettext("%(num)d h", "%(num)d h", seconds // 3600)
    else:
        said = ngettext("%(num)d day", "%(num)d days", seconds // 86400)
    return str(said)


def write_number(number: float | None) -> str:
    """With a comma between thousands."""
    return NOTHING if number is None else f"{number:,}"


def write_text(text: Any) -> Markup:
    """What a stranger wrote: what cannot be seen is spelt, and it turns no writing beside it around."""
    return Markup("<bdi>{}</bdi>").format(escape_text(str(text)))


def write_json(value: Any) -> str:
    """A JSON value on several lines, each fit to be read."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return write_lines(str(value))
    return write_lines(json.dumps(value, indent=PRETTY, ensure_ascii=False, default=str))


def write_lines(text: str) -> str:
    """A text of several lines, cut where nobody reads on."""
    cut = text[:LONGEST_SHOWN]
    more = _(" … and more") if len(text) > len(cut) else ""
    return "\n".join(escape_text(line) for line in cut.split("\n")) + more


def write_inline(value: Any) -> Markup:
    """Parameters or a receipt, as `amount 100.00, item sword`; anything else as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return write_text(value)
    if not isinstance(value, dict):
        return write_text(value)
    return write_text(", ".join(f"{name} {one}" for name, one in value.items() if one is not None))


def write_value(value: Any) -> Markup:
    """A fact as it is read best: a text, a number, a list of them, or JSON."""
    if isinstance(value, dict | list) and value:
        return Markup("<pre>{}</pre>").format(write_json(value))
    if value is None or value in ([], {}, ""):
        return NOTHING
    return write_text(value)


def add_words(app: Flask) -> None:
    """Have templates know them."""
    app.jinja_env.filters.update(
        moment=write_moment, age=write_age, number=write_number, text=write_text, json_text=write_json,
        lines=write_lines, value=write_value,
        inline=write_inline,
    )  # fmt: skip
