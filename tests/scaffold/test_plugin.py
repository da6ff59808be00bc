"""`guerdon plugin new`: every kind works as it is, and so does its test; as a file, and as a package."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.config.reading import read_config
from app.scaffold.plugin import KINDS, make_plugin
from app.scaffold.studio import write_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_studio(tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def run_tests(folder: Path, **environment: str) -> str:
    """What pytest says in a folder, last."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, check=False, capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_it_works(studio: Path) -> None:
    """Every kind beside each other: written, tested, and its section is what the config needs."""
    told = [run("plugin", "new", f"my_{kind}", "--kind", kind) for kind in KINDS]

    assert [result.exit_code for result in told] == [0, 0, 0]
    assert "wrote plugins/my_source.py\nwrote tests/test_my_source.py\n" in told[1].output
    assert '[plugins.my_source]\nsecrets = [{ env = "MY_SOURCE_SECRET" }]\n' in told[1].output
    assert 'give = [{ reward = "my_reward", amount = 5 }]' in told[0].output
    assert "passed" in run_tests(studio)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_is_put_into_the_config(
    studio: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """With --write: `guerdon check` is happy with what stands there then."""
    monkeypatch.delenv("PETS_SECRET", raising=False)
    config = studio / "config" / "guerdon.toml"
    before = config.read_text()

    result = run("plugin", "new", "pets", "--kind", kind, "--write")

    assert "added [plugins.pets] to config/guerdon.toml" in result.output
    assert ("added a rule to config/rewards.toml" in result.output) == (kind == "reward")
    assert ("added PETS_SECRET to .env" in result.output) == (kind == "source")
    assert ("\nPETS_SECRET=" in (studio / ".env").read_text()) == (kind == "source")
    assert config.read_text().startswith(before)
    assert "pets" in read_config(config)[0].plugins
    assert run("migrate").exit_code == 0
    assert "all is well" in run("check", "--strict").output


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_installed_and_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run("plugin", "new", "my_pets", "--kind", kind, "--package").exit_code == 0

    folder, site = tmp_path / "guerdon-my-pets", tmp_path / "site"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["guerdon"] == {"my_pets": "guerdon_my_pets"}
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-build-isolation", "--target", str(site), str(folder)],
        check=True,
    )  # fmt: skip
    assert "passed" in run_tests(folder, PYTHONPATH=str(site))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Pets", "small letters, digits and _"),
        ("my-pets", "small letters, digits and _"),
        ("../pets", "small letters, digits and _"),
        ("pets\n", "small letters, digits and _"),
        ("class", "small letters, digits and _"),
        ("p" * 41, "small letters, digits and _"),
        ("gold", "is a plugin of Guerdon's own"),
    ],
)
def test_a_name_that_cannot_be_is_refused(studio: Path, name: str, reason: str) -> None:
    before = sorted(studio.rglob("*"))

    result = run("plugin", "new", name, "--kind", "reward")

    assert (result.exit_code, reason in result.output) == (1, True)
    assert sorted(studio.rglob("*")) == before


def test_what_is_there_is_not_touched(studio: Path) -> None:
    (studio / "tests" / "test_pets.py").write_text("# mine\n")

    there = run("plugin", "new", "pets", "--kind", "reward", "--write")
    known = run("plugin", "new", "experience", "--kind", "source", "--write")

    assert "test_pets.py is there already: nothing was written" in there.output
    assert "has a section [plugins.experience] already" in known.output
    assert not (studio / "plugins" / "pets.py").exists()
    assert "plugins.pets" not in (studio / "config" / "guerdon.toml").read_text()


def test_a_reward_is_under_forty_lines() -> None:
    code, test, _ = make_plugin("pets", "reward")

    assert len(code.splitlines()) < 40
    assert len(test.splitlines()) < 45
