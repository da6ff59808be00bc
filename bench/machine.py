"""What the figures were taken on: the machine, the versions, the command."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.php import find_fpm
from tests.world.servers import ROOT


def describe_run(module: str) -> dict[str, Any]:
    """For the JSON's head; no paths."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["python", "-m", module, *sys.argv[1:]]),
        "machine": describe_machine(),
        "versions": list_versions(),
    }


def describe_machine() -> str:
    facts = Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()
    model = re.search(r"model name\s*: (.*)", facts[0])
    memory = int(re.findall(r"MemTotal:\s*(\d+)", facts[1])[0]) / (1 << 20)
    name = model[1].strip() if model else platform.machine()
    return f"{os.cpu_count()} cores, {name}, {memory:.0f} GB, Linux {platform.release()}"


def list_versions() -> dict[str, str]:
    commands = {
        "commit": ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        "mariadb": ["mariadbd", "--version"],
        "nginx": ["nginx", "-v"],
        "php": [find_fpm() or "php-fpm", "-v"],
        "wrk": ["wrk", "-v"],
    }
    # One that was compiled on the spot is often slower than the distribution's.
    origin = " of the distribution" if sys.base_prefix == "/usr" else ""
    versions = {"python": platform.python_version() + origin}
    return versions | {name: ask_version(command) for name, command in commands.items()}


def ask_version(command: Sequence[str]) -> str:
    """The version among what the command says first; "" where there is no such command."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    line = (done.stdout + done.stderr).partition("\n")[0]
    found = re.search(r"\d+\.\d+[.\d]*|^[0-9a-f]{7,}$", line)
    return found[0] if found else ""
