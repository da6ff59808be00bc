"""What every command begins with: the Guerdon of GUERDON_CONFIG, and a progress bar."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from app.guerdon import Guerdon, open_guerdon


def find_config() -> Path:
    """The path of the config that GUERDON_CONFIG names, or of the usual one."""
    return Path(os.environ.get("GUERDON_CONFIG", "config/guerdon.toml"))


def open_configured() -> Guerdon:
    """The Guerdon of GUERDON_CONFIG, closed when the command ends."""
    guerdon = open_guerdon(find_config())
    click.get_current_context().call_on_close(guerdon.close)
    return guerdon


def count(number: int, what: str) -> str:
    """1 rule, 2 rules, 1,000 rules."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def show_progress(items: Sequence[Any]) -> Iterator[Any]:
    """The items, with a progress bar on standard error while it is a terminal."""
    with click.progressbar(items, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield from bar
