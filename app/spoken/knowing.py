"""Which sentence a text is: by the words between its gaps, and by what may fill them."""

import re
from dataclasses import dataclass

from app.spoken.findings import FINDINGS
from app.spoken.reasons import REASONS
from app.spoken.sentences import SENTENCES

GAP = re.compile(r"\{(\w+)\}")
WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
# What fills these gaps is like this; the others take anything.
SHAPES = {
    "weekdays": rf"(?i:{WEEKDAY}(?:(?:, | and ){WEEKDAY})*)",
    "fact": r"[\w.]+",
    "type": r"[\w.:-]+",
    "count": r"[\d,]+",
    "number": r"[\d,]+",
    "weight": r"\d+",
    "total": r"\d+",
    "status": r"\d+",
    "version": r"\d[\w.+~-]*",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A sentence, the words between its gaps, and what it looks like once they are filled."""

    sentence: str
    words: tuple[str, ...]
    filled: re.Pattern[str]

    def may_be(self, text: str) -> bool:
        """Whether all words are there, in their order, with something between them.

        It takes one look at each letter, whatever somebody wrote; `filled` may look very often.
        """
        first, *middle, last = self.words if len(self.words) > 1 else (*self.words, "")
        if not (text.startswith(first) and text.endswith(last)):
            return False
        place = len(first)
        for word in middle:
            found = text.find(word, place + 1)
            if found < 0:
                return False
            place = found + len(word)
        return place + (len(self.words) > 1) <= len(text) - len(last)


def make_known(sentence: str) -> Known:
    """What is known of a sentence; a gap is never empty."""
    parts = GAP.split(sentence)
    filled = [
        f"(?P<{one}>{SHAPES.get(one, '.+?')})" if at % 2 else re.escape(one)
        for at, one in enumerate(parts)
    ]
    return Known(sentence, tuple(parts[::2]), re.compile("".join(filled), re.DOTALL))


# The one with the most words first: it says most about what was meant.
KNOWN = sorted(
    map(make_known, (*SENTENCES, *REASONS, *FINDINGS)),
    key=lambda known: -sum(map(len, known.words)),
)


def find_sentence(text: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that a text is, and what fills its gaps; None for what is not known."""
    for known in KNOWN:
        if known.may_be(text) and (found := known.filled.fullmatch(text)):
            return known.sentence, found.groupdict()
    return None
