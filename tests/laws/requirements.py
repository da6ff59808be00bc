"""What setup.cfg and pyproject.toml ask for, and what the locks hold.

`python -m tests.laws.requirements lowest` prints the lowest version of each, as pip's constraints;
`build` prints what it takes to build Guerdon. The Makefile uses both.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
LOCKS = {"run": ("mysql",), "test": ("mysql", "test", "dev")}  # the extras of each
LOCKED = re.compile(r"^([\w.-]+)==([\w.!+-]+)(?: ; (.+?))? \\$", re.MULTILINE)


def read_requirements(*extras: str) -> list[Requirement]:
    """What the service needs, and what these extras add."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    lists = [config["options"]["install_requires"]]
    lists += [config["options.extras_require"][extra] for extra in extras]
    return [Requirement(line) for some in lists for line in some.split("\n") if line]


def read_build_requirements() -> list[Requirement]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return [Requirement(line) for line in tomllib.load(file)["build-system"]["requires"]]


def read_lock(name: str) -> dict[str, dict[str, str]]:
    """The marker, or "", of each version of each package that requirements/NAME.txt holds."""
    locked: dict[str, dict[str, str]] = {}
    for package, version, marker in LOCKED.findall(locate_lock(name).read_text()):
        locked.setdefault(canonicalize_name(package), {})[version] = marker
    return locked


def locate_lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def find_lowest(requirement: Requirement) -> Version:
    """The version after >=; each requirement has one."""
    (lowest,) = [one.version for one in requirement.specifier if one.operator == ">="]
    return Version(lowest)


def list_lowest() -> Iterator[str]:
    for requirement in (*read_requirements("mysql", "test"), *read_build_requirements()):
        yield f"{requirement.name}=={find_lowest(requirement)}"


if __name__ == "__main__":
    what = {"lowest": list_lowest, "build": lambda: map(str, read_build_requirements())}
    print("\n".join(what[sys.argv[1]]()))
