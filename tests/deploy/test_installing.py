"""docs/installing.md: its secrets are typed as they stand there, and it tells of every file and version."""

import re
import subprocess
from pathlib import Path

import pytest

from app.config.environment import load_environment
from app.config.reading import read_config
from app.doctor.secrets import judge_files
from tests.world.deploying import DEPLOY, STUDIO, list_variables
from tests.world.servers import ROOT

PAGE = (ROOT / "docs" / "installing.md").read_text()


def find_blocks(heading: str, word: str) -> list[str]:
    """The commands of a chapter, those of its blocks that hold this word."""
    chapter = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", chapter, re.S)
    return [re.sub(r"^   ", "", block, flags=re.M) for block in blocks if word in block]


def type_commands(commands: str, folder: Path, **places: str) -> None:
    for place, other in places.items():
        commands = commands.replace(place.replace("_", "/"), other)
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=folder, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), commands


def test_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with systemd: what is typed is what the units, and .env for commands, then find."""
    studio, secrets = tmp_path / "srv", tmp_path / "etc"
    (studio / "config").mkdir(parents=True)
    for name in ("guerdon.toml", "rewards.toml"):
        (studio / "config" / name).write_text((ROOT / "config" / name).read_text())
    commands = "".join(find_blocks("With systemd", "/etc/guerdon"))
    commands = commands.replace("-g guerdon ", "").replace("chgrp guerdon", "ls >/dev/null")
    type_commands(commands, tmp_path, _etc_guerdon=str(secrets), _srv_guerdon=str(studio))

    environment: dict[str, str] = {}
    path = studio / "config" / "guerdon.toml"
    load_environment(path, environment)
    assert len(environment) == 3
    for name, place in environment.items():
        monkeypatch.setenv(name, place)
    config, faults = read_config(path)
    assert faults == []
    assert config.database.url == "mysql://guerdon:password@127.0.0.1/guerdon"
    assert len(config.api.keys[0].reveal()) == 48
    assert list(judge_files(config, {})) == []
    (secrets / "api_key").chmod(0o644)
    [found] = judge_files(config, {})
    assert str(secrets / "api_key") in found.text


def test_the_secrets_of_compose_are_typed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [commands] = find_blocks("In containers", "openssl")
    type_commands(commands, tmp_path)

    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    text = (DEPLOY / "compose.yaml").read_text()
    assert set(made) == set(re.findall(r"file: .*\}/(\w+)", text))
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
    password = made["database_password"].read_text().strip()
    assert f":{password}@mariadb/guerdon" in made["database_url"].read_text()
    assert len(list_variables(text)) == 3


def test_it_tells_of_each_file_and_of_each_version() -> None:
    for path in DEPLOY.iterdir():
        if path.suffix in (".service", ".yaml", ".sample", ".conf", "") and path.is_file():
            assert path.name in PAGE or path.name in ("Dockerfile", "guerdon-backup.service"), path
    assert "guerdon-backup.timer" in (ROOT / "docs" / "backups.md").read_text()
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    upgrades = re.findall(r"^\| (\d+\.\d+\.\d+) \| ([\d.]+|the next) \|", PAGE, re.M)
    assert [old for old, _ in upgrades] == versions[::-1]
    assert STUDIO in PAGE


def test_a_variable_is_a_file_or_a_text_and_not_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "guerdon.toml"
    path.write_text('[api]\nkeys = [{ env = "ANY_KEY" }]\n')

    def read() -> list[str]:
        config, faults = read_config(path)
        return [*faults, *(key.reveal() for key in config.api.keys)]

    assert "ANY_KEY is not set" in read()[0]
    monkeypatch.setenv("ANY_KEY_FILE", str(tmp_path / "key"))
    assert f"the file {tmp_path}/key of ANY_KEY_FILE cannot be read" in read()[0]
    (tmp_path / "key").write_text("a-key-in-a-file-of-its-own\n")
    assert read() == ["a-key-in-a-file-of-its-own"]
    monkeypatch.setenv("ANY_KEY", "another-key-than-that")
    assert "both ANY_KEY and ANY_KEY_FILE" in read()[0]

    (tmp_path / ".env").write_text("ANY_KEY=one\nOTHER_FILE=/two\nTHIRD=three\n")
    environment = {"ANY_KEY_FILE": "/one", "OTHER": "two"}
    load_environment(path, environment)  # the environment decides, in whichever form
    assert environment == {"ANY_KEY_FILE": "/one", "OTHER": "two", "THIRD": "three"}
