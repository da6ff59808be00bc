"""The Chinese pages say what the English ones say: the same chapters, code, commands, settings and links."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.world.servers import ROOT

PAIRS = [
    (path.with_name(path.name.replace(".zh-CN.md", ".md")), path)
    for path in sorted([*ROOT.glob("*.zh-CN.md"), *(ROOT / "docs").glob("*.zh-CN.md")])
]
BLOCK = re.compile(r"^ *```.*?^ *```", re.M | re.S)
COMMENT = re.compile(r" *#.*")
each_pair = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS, ids=[chinese.name for _english, chinese in PAIRS]
)


def list_headings(page: str) -> list[int]:
    """The depth of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", BLOCK.sub("", page), re.M)]


def list_blocks(page: str) -> list[str]:
    """What is in each block of code; comments may be in another language."""
    return [COMMENT.sub("", block) for block in BLOCK.findall(page)]


def count_names(page: str) -> Counter[str]:
    """Commands, settings and paths, as often as they are named."""
    spans = re.findall(r"`([^`]+)`", BLOCK.sub("", page))
    return Counter(" ".join(span.split()) for span in spans)


def strip_anchor(link: str) -> str:
    """The anchors of a Chinese page are Chinese headings."""
    path, hash_sign, _anchor = link.partition("#")
    is_translated = not path or any(Path(path).name in {one.name for one in pair} for pair in PAIRS)
    return path + hash_sign if is_translated else link


def list_links(page: str) -> list[str]:
    """Where links lead, but for those between the languages; a Chinese page may be linked instead."""
    found = re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", page))
    return sorted(link.replace(".zh-CN.md", ".md") for link in map(strip_anchor, found))


def test_it_works() -> None:
    assert (ROOT / "README.md", ROOT / "README.zh-CN.md") in PAIRS
    assert list_headings("# a\n```\n# b\n```\n## c\n") == [1, 2]


@each_pair
def test_the_chinese_page_has_what_the_english_has(english: Path, chinese: Path) -> None:
    ours, theirs = (page.read_text() for page in (english, chinese))

    assert list_headings(theirs) == list_headings(ours)
    assert list_blocks(theirs) == list_blocks(ours)
    assert count_names(theirs) == count_names(ours)
    switch = english.name
    assert [link for link in list_links(theirs) if link != switch] == [
        link for link in list_links(ours) if link != switch
    ]


@each_pair
def test_each_links_to_the_other(english: Path, chinese: Path) -> None:
    for page, other in ((english, chinese), (chinese, english)):
        assert f"]({other.name})" in page.read_text()
