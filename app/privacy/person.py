"""What a player is called, and how that is replaced in rows: by whole values, and in his own by words.

What is his own may lose more than it must. In what is others' a name that is also an everyday word, or a
part of another name, must harm nothing: see app/porch/persons.py.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.porch.names import clean_name, fold_name, list_forms
from app.porch.persons import find_addressee, replace_persons
from app.porch.rounds import join_key
from app.porch.text import escape_text, shorten

GONE = "erased"  # in the place of a sentence that may quote a name
# A sentence of ours that quotes a nickname has it beside one of these.
BEFORE = "called|player|nickname|named"
AFTER = "is no nickname|could be mistaken|may not"
LONGEST_ID = 255  # characters


@dataclass(frozen=True)
class Person:
    """A player as rows know him.

    `names` are his nicknames as they may be spelled, `ids` the user ids that are his alone, `keys` those
    by which rows know him; `new_key` replaces them, where they are names: None where they stay.
    """

    names: frozenset[str]
    ids: frozenset[str]
    keys: frozenset[str]
    pseudonym: str
    match: str = "exact"
    new_key: str | None = None

    @cached_property
    def folded(self) -> frozenset[str]:
        return frozenset(fold_name(name, self.match) for name in self.names)

    def is_called(self, nickname: str) -> bool:
        """Whether a nickname is his."""
        return fold_name(nickname, self.match) in self.folded

    def find(self, text: str) -> str | None:
        """The pseudonym for a whole text that is a name or a user id of his."""
        if text in self.ids or (text.strip() and self.is_called(text)):
            return self.pseudonym
        return self.new_key if self.new_key and text in self.keys else None

    @cached_property
    def spellings(self) -> frozenset[str]:
        """All that may stand for him in a text."""
        keys = self.keys if self.new_key else frozenset()
        plain = {form for one in self.names | self.ids | keys for form in list_forms(one) if form}
        more = {escape_text(one) for one in plain} | {join_key(one) for one in plain}
        return frozenset(plain | more | {clean_name(one) for one in plain})

    @cached_property
    def needles(self) -> tuple[str, ...]:
        """What a row's text holds, once it is folded, if it may name him at all."""
        found = {
            text.casefold()
            for one in self.spellings
            for text in (one, json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1])
        }
        return tuple(sorted(found, key=len))

    def is_in(self, text: str) -> bool:
        """Whether a text may name him: more is let through than does."""
        folded = text.casefold()
        return any(needle in folded for needle in self.needles)

    @cached_property
    def _words(self) -> re.Pattern[str]:
        """Any of his names as a word; a letter beside it that is not ASCII begins no other word."""
        ordered = sorted(self.spellings, key=lambda one: (-len(one), one))
        return re.compile("|".join(map(bound_word, ordered)), re.IGNORECASE)

    @cached_property
    def quoted(self) -> frozenset[str]:
        """His names as a sentence of ours quotes them."""
        return frozenset(map(shorten, self.spellings))

    @cached_property
    def _quoted(self) -> re.Pattern[str]:
        quoted = "|".join(sorted(map(re.escape, self.quoted)))
        flags = re.IGNORECASE if self.match == "casefold" else 0
        return re.compile(rf"(\b(?:{BEFORE}) )(?:{quoted})|(?:{quoted})(?= (?:{AFTER}))", flags)

    def replace_words(self, text: str) -> str:
        """In a text of his own: every word that is a name of his."""
        return self._words.sub(lambda found: self.pseudonym, text)

    def replace_quoted(self, text: str) -> str:
        """In a sentence of ours about others: where it quotes him as a player."""
        return self._quoted.sub(lambda found: f'{found[1] or ""}"{self.pseudonym}"', text)

    def replace_in_others(self, value: Any) -> Any:
        """In JSON that is not his: where it names him as a person."""
        return replace_persons(value, self.find)

    def replace_in_own(self, value: Any, given: Collection[str] = ()) -> Any:
        """In JSON of his own: every word, but for texts that also stand in the rule that gave it."""
        if isinstance(value, str):
            if value in given:
                return value
            return self.find(value) or self.replace_words(value)
        if isinstance(value, Mapping):
            return {key: self.replace_in_own(one, given) for key, one in value.items()}
        if isinstance(value, list):
            return [self.replace_in_own(one, given) for one in value]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return self.pseudonym if is_number and str(value) in self.ids else value

    def replace_id(self, id: str) -> str:
        """In an id of his own, whose parts stand between colons; one that holds a name otherwise goes."""
        parts = [self.find(part) or part for part in id.split(":")]
        found = self.replace_words(":".join(parts))
        rest = found.replace(self.pseudonym, "").casefold()
        if len(found) > LONGEST_ID or any(len(one) > 3 and one in rest for one in self.needles):
            return self.pseudonym
        return found

    def is_part_of(self, id: str) -> bool:
        """Whether a part of an id, between colons, is what he is called."""
        return any(self.find(part) for part in id.split(":"))

    def is_addressee(self, event_id: str, data: Any) -> bool:
        """Whether a delivery is for him: as its data say, or else its id, where that has parts."""
        addressee = find_addressee(data)
        if addressee is not None:
            return self.find(addressee) is not None
        return ":" in event_id and self.is_part_of(event_id)

    def is_named_in(self, value: Any) -> bool:
        """Whether JSON that may be anybody's names him as a person."""
        return bool(self.replace_in_others(value) != value)


def bound_word(text: str) -> str:
    """A pattern of a text that stands there as a word of its own."""
    before = r"(?<![A-Za-z0-9_])" if is_plain(text[0]) else ""
    after = r"(?![A-Za-z0-9_])" if is_plain(text[-1]) else ""
    return f"{before}{re.escape(text)}{after}"


def is_plain(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter == "_")


def list_texts(value: Any) -> set[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, Mapping) else value
    is_holder = isinstance(value, Mapping | list)
    return {text for one in inner for text in list_texts(one)} if is_holder else set()
