"""The examples of README and docs are run as they stand there, and links lead somewhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.testing.deliveries import make_delivery
from app.testing.services import ALL_PLUGINS
from tests.world.servers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WORDS = "\n".join(path.read_text() for path in PAGES)


def find_plugin(name: str) -> str:
    return next(block for block in find_blocks("python") if f"plugins/{name}.py:" in block)


def find_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", WORDS, re.S)


@pytest.fixture
def pets(add_plugin: Callable[..., str]) -> None:
    add_plugin(find_plugin("pets"), "pets")


@pytest.mark.usefixtures("pets")
def test_the_first_plugin_pays_as_the_readme_says(open_service: Callable[..., Any]) -> None:
    section = next(block for block in find_blocks("toml") if "[plugins.pets]" in block)
    rule = next(block for block in find_blocks("toml") if 'reward = "pet"' in block)
    guerdon = open_service(rewards=rule, plugins=ALL_PLUGINS + section)

    body = make_delivery("v1")
    response = create_app(guerdon).test_client().post("/webhooks/gamemonitoring", data=body)

    assert response.status_code == 204
    with guerdon.database.connection_context():
        assert guerdon.database.execute_sql("SELECT kind FROM pet").fetchall() == (
            [("cat",)] if guerdon.database.family == "sqlite" else (("cat",),)
        )


def test_the_first_plugin_is_about_twenty_lines() -> None:
    lines = [line for line in find_plugin("pets").splitlines() if line.strip()]

    assert len(lines) <= 22


def test_the_readmes_rules_are_rules(open_service: Callable[..., Any]) -> None:
    rule = next(block for block in find_blocks("toml") if 'reward = "promo_code"' in block)

    assert len(open_service(rewards=rule).rules.rewards) == 6


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)", path.read_text())
    for target, heading in links:
        file = path.parent / target if target else path
        assert file.exists(), target
        titles = re.findall(r"^#+ (.*)$", file.read_text(), re.M) if heading else []
        assert not heading or heading in [title.lower().replace(" ", "-") for title in titles]
