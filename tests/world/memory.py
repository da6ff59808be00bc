"""Tests' folders in memory, where there is room: the disk would be what most of a run waits for.

Each commit of each database is synced. No test cuts the power, and what a kill -9 leaves in memory it
leaves on a disk too; whether the databases are told to sync is seen by their settings.
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

MEMORY = Path("/dev/shm")
ROOM = 6 << 30  # bytes: a dozen database servers at once, and some more
MEMINFO = Path("/proc/meminfo")


def pytest_configure(config: Any) -> None:
    """Whoever sets TMPDIR has chosen; those that we start go where we go."""
    if "TMPDIR" not in os.environ and has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked up again


def has_room() -> bool:
    """Programs are installed there too, and some of what they hold is mapped to be run."""
    try:
        there = os.statvfs(MEMORY)
        available = re.search(r"MemAvailable: +(\d+) kB", MEMINFO.read_text())
    except OSError:
        return False
    is_large = (
        min(there.f_bavail * there.f_frsize, int(available[1]) << 10 if available else 0) > ROOM
    )
    return is_large and not there.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK)
