"""Which process serves a studio's folder at an address: for `guerdon reload`."""

import os
from pathlib import Path

from app.database.urls import make_private_folder


def find_pid_file(folder: Path, bind: str) -> Path:
    """Where `guerdon serve` of this folder writes its process id; one file for each port."""
    return folder / "var" / f"guerdon-{bind.rpartition(':')[2]}.pid"


def prepare_pid_file(path: Path) -> list[str]:
    """gunicorn's option for it; [] where it cannot be written.

    gunicorn does not start where the file names a process that lives: one that only got the number of ours,
    which was killed, is no reason.
    """
    try:
        make_private_folder(path.parent)
        if find_server(path) is None:
            path.unlink(missing_ok=True)
        return ["--pid", str(path)] if os.access(path.parent, os.W_OK) else []
    except OSError:
        return []


def find_server(path: Path) -> int | None:
    """The process id of the server that wrote this file; None where it runs no more."""
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return pid if str(path).encode() in read_words(pid).split(b"\0") else None


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
