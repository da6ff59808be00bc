"""Which process serves a studio's folder at an address: for `guerdon reload`."""

import os
import re
from pathlib import Path

from app.database.urls import make_private_folder

VARIABLE = "GUERDON_PID_FILE"  # for app/serving/settings.py, whose pidfile it is


def find_pid_file(folder: Path, bind: str) -> Path:
    """Where `guerdon serve` of this folder writes its process id; one file for each address."""
    return folder / "var" / f"guerdon-{re.sub('[^A-Za-z0-9.-]+', '_', bind)}.pid"


def prepare_pid_file(path: Path) -> dict[str, str]:
    """What the environment is to say of it; {} where it cannot be written, or another serves by it.

    gunicorn does not start where the file names a process that lives: one that only got the number of ours,
    which was killed, is no reason.
    """
    try:
        make_private_folder(path.parent)
        if find_server(path) is not None or not os.access(path.parent, os.W_OK):
            return {}
        path.unlink(missing_ok=True)
    except OSError:
        return {}
    return {VARIABLE: str(path)}


def find_server(path: Path) -> int | None:
    """The process id of the server that wrote this file; None where it runs no more."""
    try:
        pid = int(path.read_text())
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if f"{VARIABLE}={path}".encode() in environment.split(b"\0") else None


def list_workers(pid: int) -> set[int]:
    """The workers of a server; what it started to check a config is none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return set()
    mine = read_words(pid)
    return {int(child) for child in children if read_words(int(child)) == mine}


def read_words(pid: int) -> bytes:
    """The command line of a process; b"" where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
