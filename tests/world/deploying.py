"""The files of deploy/ as their programs read them: units, the Dockerfile, compose.yaml."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.world.servers import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
PROGRAM, STUDIO = "/opt/guerdon/bin/guerdon", "/srv/guerdon"


class Unit:
    """A unit's settings; a setting may stand there several times."""

    def __init__(self, name: str) -> None:
        self.name, self.text = name, (DEPLOY / name).read_text()
        self._lines = re.findall(r"^(\w+)=(.*)$", self.text, re.M)

    def read(self, setting: str) -> list[str]:
        return [value for name, value in self._lines if name == setting]

    @property
    def environment(self) -> dict[str, str]:
        words = [word for line in self.read("Environment") for word in shlex.split(line)]
        return dict(word.split("=", 1) for word in words)

    @property
    def credentials(self) -> dict[str, str]:
        """The files that are handed over, by the name each gets."""
        return dict(line.split(":", 1) for line in self.read("LoadCredential"))

    def read_command(self, line: str, places: dict[str, str]) -> list[str]:
        """The words of a command as systemd has them, with other places than a real machine's."""
        plain = line.replace("%%", "%").replace("$$", "$")
        for place, other in places.items():
            plain = plain.replace(place, other)
        return shlex.split(plain)


class Step(NamedTuple):
    """An instruction of a Dockerfile, and what stands behind it."""

    instruction: str
    words: str


def read_dockerfile(text: str) -> list[Step]:
    """Its instructions, of all stages, in their order."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [Step(*line.split(None, 1)) for line in whole.splitlines()]


def read_compose(text: str) -> Any:
    """The file as compose has it before it puts in the variables; `<<` is put together."""
    return yaml.safe_load(text)


def list_variables(text: str) -> set[str]:
    """The names of what a compose file takes from .env."""
    return set(re.findall(r"\$\{(\w+)", text))


def point_secrets(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """The variables of `environment` that name files of secrets, with these files in `folder`."""
    return {
        name: str(folder / value.rpartition("/")[2])
        for name, value in environment.items()
        if name.endswith("_FILE")
    }
