"""Real servers for tests: MariaDB, MySQL and gunicorn, each on a free port, each ended by its test."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


def find_tracebacks(log: str) -> list[str]:
    """The lines that begin a traceback, or that hold one as structlog's `exception`.

    What others wrote may hold the word, and stands within a line: only a line's begin is ours.
    """
    return [
        line
        for line in log.splitlines()
        if line.startswith("Traceback (most recent call last)")
        or (line.startswith("{") and "exception" in read_line(line))
    ]


def read_line(line: str) -> Any:
    """A line of the log as JSON; {} where it is cut off."""
    try:
        return json.loads(line)
    except ValueError:
        return {}
