"""A sentence that was made in English, in the language of the page: known by its words and its gaps.

So the chapters that pay know nothing of languages. What is not known stays as it is.
"""

import re
from datetime import UTC, datetime

from flask_babel import format_datetime, get_locale, gettext

from app.spoken.knowing import GAP, find_sentence

SPOKEN = ("why", "limit", "remedy", "command")  # gaps that a sentence fills
LISTED = (
    "weekdays",
    "value",
    "server",
    "source",
    "mark",
)  # gaps that some words fill: "a, b and c"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY = re.compile(r"(?:[A-Z][a-z]+day )?\d{1,2} [A-Z][a-z]+ \d{4}")
MONTH = re.compile(r"[A-Z][a-z]+ \d{4}")
ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
# Between gifts, not within their parentheses.
OUTSIDE = re.compile(r"(?:, | and | or )(?![^()]*\))")
LONGEST = 2_000  # characters of a sentence that is looked at
DEEPEST = 6  # sentences in sentences


def say(sentence: object, depth: int = 0) -> str:
    """The sentence in the page's language. What fills a gap is never read as a template."""
    text = str(sentence)
    locale = get_locale()
    if locale is None or locale.language == "en" or len(text) > LONGEST or depth > DEEPEST:
        return text
    if found := find_sentence(text):
        known, values = found
        return fill(gettext(known), values, depth)
    return say_day(text)


def fill(sentence: str, values: dict[str, str], depth: int) -> str:
    """A sentence with its gaps filled, each value said if it is a sentence."""
    said = {name: say_gap(name, value, depth) for name, value in values.items()}
    return GAP.sub(lambda gap: said[gap[1]], sentence)


def say_gap(name: str, value: str, depth: int) -> str:
    """What fills a gap: a sentence itself, some of them, a list of words, a time, or what somebody wrote."""
    if name in SPOKEN:
        return say(value, depth + 1)
    if name == "parts":
        return str(gettext(", ")).join(say(part, depth + 1) for part in split_parts(value))
    if name == "works":
        return str(gettext("; ")).join(say_work(one, depth) for one in value.split("; "))
    if name in ("gifts", "lots"):
        gifts = OUTSIDE.split(value)
        return str(gettext(" and ")).join(say(one, depth + 1) for one in gifts)
    if name in LISTED:
        return say_list(ORDINAL.sub(r"\1", value) if name == "mark" else value, depth)
    return say_day(value) if name in ("when", "period") else value


def split_parts(text: str) -> list[str]:
    """The sentences of a text, which stand between commas; one with a comma in it is put together again."""
    parts: list[str] = []
    for piece in text.split(", "):
        if parts and find_sentence(piece) is None:
            parts[-1] += f", {piece}"
        else:
            parts.append(piece)
    return parts


def say_work(text: str, depth: int) -> str:
    """A sentence, or one with its reason after a colon."""
    if find_sentence(text):
        return say(text, depth + 1)
    work, _, why = text.partition(": ")
    parts = filter(None, [say(work, depth + 1), say(why, depth + 1)])
    return str(gettext(": ")).join(parts)


def say_list(text: str, depth: int) -> str:
    """Words as "a, b or c", the names of days among them, or a sentence about a number."""
    if find_sentence(text):
        return say(text, depth + 1)
    words = [say_weekday(word) for word in re.split(r", | (?:and|or) ", text)]
    return str(gettext(" or ") if " or " in text else gettext(" and ")).join(words)


def say_weekday(word: str) -> str:
    """The day of this English name as the language has it; any other word as it is."""
    if word.capitalize() not in WEEKDAYS:
        return word
    # The 5th of January 1970 was a Monday.
    day = datetime(1970, 1, 5 + WEEKDAYS.index(word.capitalize()), tzinfo=UTC)
    return str(format_datetime(day, "EEEE", rebase=False))


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
