"""`guerdon plugin new`: a plugin that works as it is, a test that passes, and its section of the config."""

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.config.checking import read_toml
from app.host.ours import SHIPPED
from app.porch.errors import GuerdonError
from app.scaffold.files import fill, make_class_name, write_all

KINDS = ("reward", "source", "reporter")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Made:
    """What was written, and what is to be pasted: a section of the config, and for a reward a rule."""

    paths: Sequence[Path]
    section: str
    rules: str = field(default="")
    secret: str = field(default="")  # the variable that its section names


def require_name(name: str) -> None:
    """Raise GuerdonError for what cannot be the name of a plugin, its file and its section."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise GuerdonError(
            f"{name!r} cannot be a plugin's name: small letters, digits and _, as vote_streak"
        )
    if name in SHIPPED:
        raise GuerdonError(
            f"{name} is a plugin of Guerdon's own: give yours another name; it may still take over what"
            " that one gives (docs/plugins.md)"
        )


def list_words(name: str) -> dict[str, str]:
    """What the templates say of a plugin of this name."""
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "class_name": make_class_name(name),
        "variable": f"{name.upper()}_SECRET",
    }


def make_plugin(name: str, kind: str) -> tuple[str, str, Made]:
    """The code of a plugin, that of its test, and what is to be pasted."""
    require_name(name)
    words = list_words(name)
    section = fill(f"plugin/{kind}.toml.txt", words)
    rules = fill("plugin/reward.rules.txt", words) if kind == "reward" else ""
    test = fill(f"plugin/{kind}.test.txt", words | {"section": section, "rules": rules})
    secret = words["variable"] if kind == "source" else ""
    return fill(f"plugin/{kind}.py.txt", words), test, Made((), section, rules, secret)


def write_plugin(name: str, kind: str, plugins_folder: Path, tests: Path) -> Made:
    """Write plugins/NAME.py and tests/test_NAME.py. Raises GuerdonError where one is there."""
    code, test, made = make_plugin(name, kind)
    paths = write_all({plugins_folder / f"{name}.py": code, tests / f"test_{name}.py": test})
    return Made(paths, made.section, made.rules, made.secret)


def add_section(config: Path, made: Made, name: str) -> None:
    """Put the section at the end of the config. Raises GuerdonError where it has one already."""
    sections = read_toml(config).get("plugins", {})
    if isinstance(sections, dict) and name in sections:
        raise GuerdonError(f"{config} has a section [plugins.{name}] already: nothing was written")
    add_text(config, made.section)


def add_text(path: Path, text: str) -> None:
    """Put text at the end of a TOML file, a line apart from what is there."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(gap + text)
