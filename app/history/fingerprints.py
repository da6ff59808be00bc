"""What errors have in common: their words without what differs from one to the next.

What is cut out is quoted words, and words with a digit in them, as ids, addresses and times. What is left
may still be a stranger's: whoever shows it escapes it.
"""

import hashlib
import re
from functools import lru_cache

CUT = "…"
# Each of them is read once from its first letter to its last, whatever a stranger has put in.
QUOTED = re.compile(r"\"[^\"]*+(?:\"|\Z)|“[^”]*+(?:”|\Z)|(?<!\w)'[^']*+(?:'(?!\w)|\Z)")
# Words with a digit in them, and what is hexadecimal without one.
DIFFERS = re.compile(
    r"(?<![\w.:/@+%-])(?:(?:[^\W\d]|[.:/@+%-])*+\d[\w.:/@+%-]*+|[a-fA-F-]{8,}+(?![\w.:/@+%-]))"
)
SAYS_MUCH = ("answered ", "HTTP ", "status ", "ret_code ")  # what a platform means by a number
SHORT = re.compile(r"\d{1,6}")
SEVERAL = re.compile(rf"{CUT}(?:[\s,;/]*+{CUT})+")


@lru_cache(maxsize=4096)
def make_fingerprint(error: str) -> str:
    """The error without what is of one event alone; "" stays ""."""
    told = DIFFERS.sub(cut_word, QUOTED.sub(CUT, error))
    return " ".join(SEVERAL.sub(CUT, told).split())


def cut_word(found: "re.Match[str]") -> str:
    word = found.group().rstrip(".:-/")
    is_code = SHORT.fullmatch(word) and found.string.endswith(SAYS_MUCH, 0, found.start())
    return (word if is_code else CUT) + found.group()[len(word) :]


@lru_cache(maxsize=4096)
def name_cause(of: str, error: str) -> str:
    """Twelve hex digits that stand for the errors of a source, or a reporter, with one fingerprint."""
    told = f"{len(of)}:{of}{make_fingerprint(error)}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:12]
