"""The catalogues of sentences: whole, compiled as they are, with the gaps that the English has."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tests.world.servers import ROOT

METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None}
GAP = re.compile(r"%\((\w+)\)([a-z])|\{(\w+)\}")
CATALOGUES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "app").glob("*/translations/*/LC_MESSAGES/messages.po")
)


def read_catalogue(name: str) -> Catalog:
    with (ROOT / name).open("rb") as file:
        return read_po(file, locale=Path(name).parts[-3])


def list_ids(message: Any) -> tuple[str, ...]:
    """A sentence, or its singular and plural."""
    return message if isinstance(message, tuple) else (message,)


def extract(name: str) -> set[tuple[str, ...]]:
    """The sentences that the chapter of a catalogue has now."""
    chapter = ROOT.joinpath(*Path(name).parts[:2])
    found = extract_from_dir(chapter, METHODS, keywords=KEYWORDS)
    return {list_ids(message) for _file, _line, message, _comments, _context in found}


def test_it_works() -> None:
    assert "app/dashboard/translations/zh/LC_MESSAGES/messages.po" in CATALOGUES
    assert ("Leaderboards",) in extract(CATALOGUES[0])


@pytest.mark.parametrize("name", CATALOGUES)
def test_no_sentence_is_missing_or_left_over_or_guessed(name: str) -> None:
    catalogue = read_catalogue(name)
    entries = {list_ids(one.id): one for one in catalogue if one.id}
    now = extract(name)

    assert now - set(entries) == set(), "run make translations, and translate what is new"
    assert set(entries) - now == set(), "run make translations"
    assert not catalogue.obsolete
    for ids, entry in entries.items():
        assert not entry.fuzzy, ids
        translated = list_ids(entry.string)
        assert all(translated), f"{ids} is not translated"
        is_counted = len(ids) == 2
        assert len(translated) == (catalogue.num_plurals if is_counted else 1), ids


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_translation_has_the_gaps_of_its_sentence(name: str) -> None:
    for entry in read_catalogue(name):
        if entry.id:
            for translated in list_ids(entry.string):
                expected = sorted(GAP.findall(list_ids(entry.id)[-1]))
                assert sorted(GAP.findall(translated)) == expected, entry.id


@pytest.mark.parametrize("name", CATALOGUES)
def test_what_is_compiled_is_what_is_written(name: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(name))

    kept = (ROOT / name).with_suffix(".mo").read_bytes()
    assert compiled.getvalue() == kept, "run make translations"
