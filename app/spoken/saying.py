"""A sentence that was made in English, in the language of the page: known by its words and its gaps.

So the chapters that pay know nothing of languages. What is not known stays as it is.
"""

import re
from datetime import datetime

from flask_babel import format_datetime, get_locale, gettext

from app.spoken.sentences import SENTENCES

GAP = re.compile(r"\{(\w+)\}")
DAY = re.compile(r"(?:[A-Z][a-z]+day )?\d{1,2} [A-Z][a-z]+ \d{4}")
MONTH = re.compile(r"[A-Z][a-z]+ \d{4}")
ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
LONGEST = 2_000  # characters of a sentence that is looked at
DEEPEST = 6  # sentences in sentences


def compile_sentence(sentence: str) -> re.Pattern[str]:
    """What a sentence looks like once its gaps are filled; a gap is never empty."""
    parts = GAP.split(sentence)
    said = [f"(?P<{one}>.+?)" if at % 2 else re.escape(one) for at, one in enumerate(parts)]
    return re.compile("".join(said), re.DOTALL)


# The one with the most words first: it says most about what was meant.
KNOWN = sorted(
    ((compile_sentence(one), one) for one in SENTENCES),
    key=lambda known: -len(GAP.sub("", known[1])),
)


def say(sentence: object, depth: int = 0) -> str:
    """The sentence in the page's language. What fills a gap is never read as a template."""
    text = str(sentence)
    locale = get_locale()
    if locale is None or locale.language == "en" or len(text) > LONGEST or depth > DEEPEST:
        return text
    for pattern, known in KNOWN:
        if found := pattern.fullmatch(text):
            return fill(gettext(known), found.groupdict(), depth)
    return say_day(text)


def fill(sentence: str, values: dict[str, str], depth: int) -> str:
    """A sentence with its gaps filled, each value said if it is a sentence."""
    said = {name: say_gap(name, value, depth) for name, value in values.items()}
    return GAP.sub(lambda gap: said[gap[1]], sentence)


def say_gap(name: str, value: str, depth: int) -> str:
    """What fills a gap: a sentence itself (`why`), some of them (`parts`), a time, or what somebody wrote."""
    if name == "why":
        return say(value, depth + 1)
    if name == "parts":
        return str(gettext(", ")).join(say(part, depth + 1) for part in value.split(", "))
    if name == "mark":
        return ORDINAL.sub(r"\1", value)
    return say_day(value) if name in ("when", "period") else value


def say_day(text: str) -> str:
    """A text that begins with a day, or is a month, with that as the language writes it."""
    if found := DAY.match(text):
        said, is_named = found[0].split(" ", found[0].count(" ") - 2), found[0].count(" ") == 3
        day = read_day(said[-1], "%d %B %Y")
        form = gettext("EEEE d MMMM y") if is_named else gettext("d MMMM y")
        return str(format_datetime(day, form, rebase=False)) + text[found.end() :] if day else text
    if MONTH.fullmatch(text) and (day := read_day(text, "%B %Y")):
        return str(format_datetime(day, gettext("MMMM y"), rebase=False))
    return text


def read_day(text: str, form: str) -> datetime | None:
    """The day that a text says; None for what is none."""
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
