"""Templates as our content policy wants them: no style or script within a page, nothing taken for safe."""

import re
from pathlib import Path

import pytest

from tests.world.servers import ROOT

FOLDER = ROOT / "app" / "dashboard" / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
FORBIDDEN = {
    "a style within": re.compile(r"<[^>]*\sstyle\s*=|<style\b", re.IGNORECASE),
    "a handler within": re.compile(r"<[^>]*\son\w+\s*=(?!=)", re.IGNORECASE),
    "htmx's handlers": re.compile(r"\bhx-(on|vals|vars)\b|[\"']js:", re.IGNORECASE),
    "text that is not escaped": re.compile(r"\|\s*safe\b|\bautoescape\b|\bMarkup\b"),
    "a script within": re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE),
    "an address of somebody else": re.compile(
        r"""(src|href|action)=["']?(https?:)?//""", re.IGNORECASE
    ),
    "an attribute without quotes": re.compile(r"[\w\"]\s+[\w-]+=\{\{"),
}
WRITTEN = ROOT / "app" / "dashboard" / "words.py"


def find_forbidden(text: str) -> list[str]:
    return [name for name, pattern in FORBIDDEN.items() if pattern.search(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('<p style="x">', "a style within"),
        ("<p\nonclick='x'>", "a handler within"),
        ('<p hx-on:click="x">', "htmx's handlers"),
        ("{{ x | safe }}", "text that is not escaped"),
        ("<script>x</script>", "a script within"),
        ('<img src="//x.example/">', "an address of somebody else"),
        ("<p id={{ x }}>", "an attribute without quotes"),
    ],
)
def test_it_works(text: str, name: str) -> None:
    assert name in find_forbidden(text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_nothing_that_the_policy_forbids(path: Path) -> None:
    assert find_forbidden(path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_posts_has_a_token(path: Path) -> None:
    for form in re.findall(r'<form method="post".*?</form>', path.read_text(), re.DOTALL):
        assert "token()" in form


def test_markup_is_made_of_plain_words_alone() -> None:
    """What is put into it goes through format(), which escapes it."""
    made = re.findall(r"Markup\((.)", WRITTEN.read_text())

    assert made
    assert set(made) <= {'"', "'"}
