"""`guerdon plugins --trace`: each call of one plugin for a vote, paid on a database that is thrown away."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.scaffold.studio import write_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_studio(tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["plugins", *words])


def test_it_works(studio: Path) -> None:
    """A reward's one call, its time and its receipt; the studio's own database is not even made."""
    result = run("--trace", "experience")

    assert result.exit_code == 0, result.output
    calls = [line for line in result.output.splitlines() if line.startswith("grant_reward")]
    [given] = [line for line in calls if "left to others" not in line]
    assert given.startswith("grant_reward experience ")
    assert given.endswith('ms  {"amount": 5}')
    assert any(line.startswith("grant_reward gold ") for line in calls)
    assert "the vote is settled" in result.output
    assert not (studio / "var" / "guerdon.db").exists()


def test_a_reporter_tells_nobody(studio: Path) -> None:
    assert (
        CliRunner()
        .invoke(main, ["plugin", "new", "chat", "--kind", "reporter", "--write"])
        .exit_code
        == 0
    )

    result = run("--trace", "chat")

    assert "build_report" in result.output
    [sent] = [line for line in result.output.splitlines() if line.startswith("send_report")]
    assert "raised NetworkFailed" in sent


def test_what_a_plugin_raises_is_told(studio: Path) -> None:
    plugin = studio / "plugins" / "experience.py"
    plugin.write_text(plugin.read_text().replace("    row.save()", "    1 / 0"))

    result = run("--trace", "experience")

    assert "raised ZeroDivisionError: division by zero" in result.output
    assert "the vote is waiting: " in result.output


def test_one_that_is_off_is_said(studio: Path) -> None:
    result = run("--trace", "nothing")

    assert (result.exit_code, "no section [plugins.nothing]" in result.output) == (1, True)
