"""Files made of templates: never over one that is there."""

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from app.porch.errors import GuerdonError

TEMPLATES = files("app.scaffold") / "templates"
PRIVATE = 0o600


def fill(template: str, words: Mapping[str, str]) -> str:
    """The text of a template, as "plugin/reward.py.txt", with $words in it."""
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(words)


def read(template: str) -> str:
    """The text of a template as it is."""
    return (TEMPLATES / template).read_text(encoding="utf-8")


def write_all(made: Mapping[Path, str]) -> list[Path]:
    """Write these files, or none: raises GuerdonError where one of them is there already."""
    if there := next((path for path in made if path.exists()), None):
        raise GuerdonError(f"{there} is there already: nothing was written")
    for path, text in made.items():
        write(path, text)
    return list(made)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a new file and the folders it needs. Raises GuerdonError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise GuerdonError(f"{path} cannot be written: {error.strerror}") from None


def make_class_name(name: str) -> str:
    """vote_streak becomes VoteStreak."""
    return "".join(part.capitalize() for part in re.split("_+", name) if part)
