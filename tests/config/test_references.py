"""Paths in a config begin at the config's folder, wherever Guerdon is started."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.config.reading import read_config
from app.config.references import read_tables
from app.opening import open_guerdon
from app.testing.services import ALL_PLUGINS

BODY = """
[api]
keys = [{{ file = "{name}" }}]
[plugins.words]
file = "words.txt"
lists = [{{ file = "{name}", name = "one" }}, {{ deep = {{ file = "{name}", default = "d" }} }}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config's folder; Guerdon is started in another."""
    for name in ("config", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "config"


def write(folder: Path, name: str) -> Path:
    (folder / "guerdon.toml").write_text(BODY.format(name=name))
    return folder / "guerdon.toml"


def test_it_works(folder: Path) -> None:
    (folder / "key").write_text("beside-the-config\n")
    path = write(folder, "key")
    (Path.cwd() / "key").write_text("where it was started\n")

    config, faults = read_config(path)
    tables, warnings = read_tables(path)

    assert (faults, warnings) == ([], [])
    assert [key.reveal() for key in config.api.keys] == ["beside-the-config"]
    words = tables["plugins"]["words"]
    assert words["file"] == "words.txt"  # a plugin's own setting, whatever it means
    assert words["lists"] == [
        {"file": f"{folder}/key", "name": "one"},
        {"deep": {"file": f"{folder}/key", "default": "d"}},
    ]


def test_a_whole_path_is_itself(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("somewhere-in-the-system")
    config, faults = read_config(write(folder, f"{tmp_path}/key"))
    assert (faults, config.warnings) == ([], ())
    assert config.api.keys[0].reveal() == "somewhere-in-the-system"


def test_one_that_began_where_it_was_started_is_found_with_a_warning(folder: Path) -> None:
    """As configs of before have them: nothing stops, and it is said what to write instead."""
    (Path.cwd() / "key").write_text("where-it-was-started")
    path = write(folder, "key")

    config, faults = read_config(path)

    assert faults == []
    assert config.api.keys[0].reveal() == "where-it-was-started"
    assert len(config.warnings) == 3
    assert config.warnings[0] == (
        f"{path}: [api] keys: the file key is found only because Guerdon was started beside it;"
        f" paths begin at the config's folder, so write {Path.cwd()}/key"
    )


def test_one_that_is_nowhere_is_a_fault_that_names_the_path(folder: Path) -> None:
    _, [fault] = read_config(write(folder, "key"))
    assert "[api] keys[0]" in fault
    assert f"the file {folder}/key cannot be read" in fault


def test_a_warning_is_logged_where_the_service_starts_and_told_by_check(
    folder: Path, capsys: pytest.CaptureFixture[str], write_config: Callable[..., Any]
) -> None:
    path = write_config(plugins=ALL_PLUGINS.replace('"{token}"', '{{ file = "token" }}'))
    Path("token").write_text("of the project")
    guerdon = open_guerdon(path)
    assert "the file token is found only" in guerdon.list_warnings()[0]
    guerdon.log_warnings()
    guerdon.close()
    assert (
        "[plugins.gamemonitoring] tokens: the file token is found only" in capsys.readouterr().err
    )
