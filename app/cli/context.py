"""What every command begins with: the Guerdon of a config, and a progress bar."""

import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from app.config.environment import load_environment
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import GuerdonError

CONFIG = "GUERDON_CONFIG"
USUAL_CONFIG = "config/guerdon.toml"
LONGEST_NAME = 64  # characters


def enter_folder(
    context: click.Context, parameter: click.Parameter, folder: Path | None
) -> Path | None:
    """Do as if started in `folder`; of a GUERDON_CONFIG that leads elsewhere nothing is known there."""
    if folder is not None:
        os.chdir(folder)
        if Path(os.environ.get(CONFIG, "")).is_absolute():
            del os.environ[CONFIG]
    return folder


def find_config() -> Path:
    """The path of the config that GUERDON_CONFIG names, or of the usual one.

    Raises GuerdonError where neither is there.
    """
    path = Path(os.environ.get(CONFIG) or USUAL_CONFIG)
    if not path.exists() and CONFIG not in os.environ:
        raise GuerdonError(
            f"{path}: there is no such file in {Path.cwd()}: go to your studio's folder, name it by"
            f" `guerdon -C DIR`, or make one by `guerdon init DIR`"
        )
    return path


def open_configured() -> Guerdon:
    """The Guerdon of the config, closed when the command ends."""
    path = find_config()
    load_environment(path)
    guerdon = open_guerdon(path)
    click.get_current_context().call_on_close(guerdon.close)
    return guerdon


def shorten_path(path: Path) -> Path:
    """A path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def count(number: int, what: str) -> str:
    """1 rule, 2 rules, 1,000 rules."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def show_progress(items: Sequence[Any]) -> Iterator[Any]:
    """The items, with a progress bar on standard error while it is a terminal."""
    with click.progressbar(items, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar


def find_person(by: str | None) -> str:
    """Who it is that does something: as told, or the user of the system, behind sudo too."""
    try:
        person = by if by is not None else os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        person = f"user {os.getuid()}"
    if not 0 < len(person) <= LONGEST_NAME or not person.isprintable() or person != person.strip():
        raise GuerdonError(
            f"--by: who says so is told in 1 to {LONGEST_NAME} printable characters, no space at an end"
        )
    return person
