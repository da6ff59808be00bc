"""What a nickname may be, and which two are one player's: decided here, before anything is made of it.

A nickname is trimmed and brought into NFC, the one form of letters that can be written in two ways.
What cannot be seen, or steers whoever shows it, is refused under every setting. Beyond that a studio
says what its nicknames are by `[players] pattern`; where votes make players, there is a usual one.
"""

import itertools
import re
import time
import unicodedata
from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError, fields

from app.porch.errors import RefusedName
from app.porch.fields import ReferableString
from app.porch.text import INVISIBLE, escape_text, shorten

LONGEST = 255  # characters: what a column of ours holds
LONGEST_RAW = 4 * LONGEST  # before NFC, which may make it shorter
LONGEST_MADE = 48
# What nearly everybody is called: allowed by the usual pattern, and without one.
is_quick = re.compile(r"[A-Za-z0-9_.-]{1,48}").fullmatch
# Format characters, private ones and the like; category Zl and Zp are line breaks.
REFUSED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Letters in daily use (Armenian, Thai, Lao, Korean) that have a longer spelling by compatibility, unlike
# full-width ones, ligatures and the like, which are other spellings of letters in daily use.
KEPT = re.compile("[\u0587\u0e33\u0eb3\u0edc\u0edd\u3131-\u318e]")
# Pieces of Korean syllables, which look like the letters above where they make up no syllable.
PIECES = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
# A pattern is tried on these, each repeated, so that one that would never end is found out.
PROBES = ("a", "A", "0", "_", ".", "-", " ", "aA", "a0", "a_", "é", "я")
PROBE_ENDS = ("\0", "\n", "!")  # what the pattern is to fail at
PROBE_LENGTHS = (*range(6, 33), 64, 96, 128, 180, LONGEST)
SLOW = 0.1  # seconds of CPU for one match


class Names:
    """The nicknames that [players] allows."""

    def __init__(
        self,
        pattern: re.Pattern[str] | None = None,
        prefixes: Sequence[str] = ("",),
        are_made: bool = False,
    ) -> None:
        """`are_made`: a vote for somebody unknown makes a player, so invisible ones are refused."""
        self.prefixes = prefixes
        self._pattern = pattern
        self._are_made = are_made

    def read(self, nickname: str) -> str:
        """The nickname as it is compared. Raises RefusedName with the reason if it is none."""
        if is_quick(nickname) and (self._pattern is None or self._pattern.fullmatch(nickname)):
            return nickname
        # NFC takes long for what is much too long.
        name = clean_name(nickname) if len(nickname) <= LONGEST_RAW else ""
        if not 0 < len(name) <= LONGEST:
            raise RefusedName(f"a nickname has 1 to {LONGEST} characters")
        if fault := self.find_fault(name):
            raise RefusedName(f"{shorten(name)} is no nickname: {fault}")
        return name

    def find_fault(self, name: str) -> str:
        """Why nobody may have this name, which is trimmed and in NFC; "" if somebody may."""
        if fault := find_unseen(name):
            return fault
        if self._are_made and (hidden := INVISIBLE.search(name)):
            return f"it holds {escape_text(hidden[0])}, which cannot be seen"
        # A prefix is the studio's own: what follows it has to match.
        bare = (name.removeprefix(prefix) for prefix in self.prefixes)
        faults = [self._judge(one) for one in dict.fromkeys((name, *bare)) if one]
        return "" if "" in faults else faults[0]

    def _judge(self, name: str) -> str:
        """As find_fault, of what a studio may decide."""
        if self._pattern is None:
            return find_oddity(name) if self._are_made else ""
        return "" if self._pattern.fullmatch(name) else "the pattern of [players] does not match it"

    def list_candidates(self, name: str) -> list[str]:
        """The names that the player of this nickname may go by, in the order of the prefixes."""
        return [prefix + name for prefix in self.prefixes]


def clean_name(nickname: str) -> str:
    """Without surrounding spaces, in NFC."""
    name = nickname.strip()
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def fold_name(nickname: str, match: str) -> str:
    """What two nicknames have in common exactly if they are one player's, under [players] match."""
    name = clean_name(nickname)
    if match != "casefold":
        return name
    folded = name.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def list_forms(name: str) -> list[str]:
    """The name as it is and, if that is another, with its accents apart: a table may hold either."""
    if name.isascii():
        return [name]
    return list(dict.fromkeys([name, unicodedata.normalize("NFD", name)]))


def find_unseen(text: str) -> str:
    """Which character in a text is a control, format, private or unassigned one; "" if none is."""
    if text.isprintable():
        return ""
    for letter in text:
        if unicodedata.category(letter) in REFUSED:
            return f"it holds {escape_text(letter)}, which is no character to be seen"
    return ""


def find_oddity(name: str) -> str:
    """Why no player is made of this name where [players] has no pattern; "" if one may be."""
    usual = f"it is not 1 to {LONGEST_MADE} letters, digits, _ . - and single spaces"
    if len(name) > LONGEST_MADE:
        return usual
    before = " "
    for letter in name:
        kind = unicodedata.category(letter)
        # A mark stands on a letter or a digit: alone it would be a part of what is written before it.
        is_usual = (before not in " _.-" if kind[0] == "M" else kind[0] == "L" or kind == "Nd") or (
            letter in "_.-" or (letter == " " and before != " ")
        )
        if not is_usual or PIECES.match(letter):
            return usual
        before = letter
    if all(unicodedata.is_normalized("NFKC", part) for part in KEPT.split(name)):
        return ""
    return f"it is {shorten(unicodedata.normalize('NFKC', name))} in unusual characters"


class PatternField(fields.Field[re.Pattern[str]]):
    """A setting that is a regular expression as Python writes it; it becomes the compiled one."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> re.Pattern[str]:
        text = ReferableString().deserialize(value, attr, data)
        try:
            pattern = re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValidationError(f"is no regular expression: {error}") from None
        if is_slow(pattern):
            raise ValidationError(
                "may take for ever on a long name: write no repetition within a repetition, as in (a+)+"
            )
        return pattern


def is_slow(pattern: re.Pattern[str]) -> bool:
    """Whether a stranger's name of 255 characters could keep a worker busy with this pattern."""
    for probe, end, length in itertools.product(PROBES, PROBE_ENDS, PROBE_LENGTHS):
        text = (probe * length)[:length] + end
        began = time.thread_time()
        pattern.fullmatch(text)
        if time.thread_time() - began > SLOW:
            return True
    return False


def check_prefix(prefix: str) -> None:
    """ValidationError for what no nickname can begin with."""
    if prefix and (prefix != clean_name(prefix + "x")[:-1] or find_unseen(prefix)):
        raise ValidationError("must be visible characters, none a space at the beginning, or empty")
