"""docs/where.md leads to files that are there, and to what it names in them."""

import re

import pytest

from tests.world.servers import ROOT

WHERE = (ROOT / "docs" / "where.md").read_text()
# `a/path.py`, and perhaps a function in it.
NAMED = re.findall(r"`((?:app|tests)/[\w/.]*)`(?:, `(\w+)(?:\(\))?`)?", WHERE)


def test_it_works() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_what_it_names_is_there(path: str, name: str) -> None:
    place = ROOT / path
    assert place.is_dir() if path.endswith("/") else place.is_file()
    assert not name or re.search(rf"\b{name}\b", place.read_text())


def test_every_chapter_is_told_of() -> None:
    chapters = {path.parent.name for path in (ROOT / "app").glob("*/__init__.py")}

    assert chapters <= set(re.findall(r"`(\w+)/`", WHERE))
