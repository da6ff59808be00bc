"""The README's own example of a plugin is run as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plugins
from app import create_app
from tests.conftest import ALL_PLUGINS
from tests.sending import make_delivery

README = (Path(__file__).parent.parent / "README.md").read_text()


def find_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "pets.py").write_text(find_blocks("python")[0])
    monkeypatch.setattr(plugins, "__path__", [*plugins.__path__, str(folder)])


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
    lines = [line for line in find_blocks("python")[0].splitlines() if line.strip()]

    assert len(lines) <= 22


def test_the_readmes_rules_are_rules(open_service: Callable[..., Any]) -> None:
    rule = next(block for block in find_blocks("toml") if 'reward = "promo_code"' in block)

    assert len(open_service(rewards=rule).rules.rewards) == 6
