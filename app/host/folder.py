"""The studio's own plugins/ folder: its files are `plugins.NAME`, as ours are, and come before ours."""

import importlib
import os
import stat
import sys
from pathlib import Path

from app.host.ours import FOLDER, NAME, OURS


def use_folder(folder: Path) -> None:
    """Have `plugins.NAME` be a file of this folder, or one of ours where it has none of that name.

    What was imported from another studio's folder, or from ours and is in this one now, is forgotten.
    """
    folder = folder.resolve()
    theirs = [folder] if folder.is_dir() and folder != FOLDER else []
    OURS.__path__ = [str(one) for one in (*theirs, FOLDER)]
    importlib.invalidate_caches()
    # A copy is made at once; a list of pairs is not, and what another thread imports meanwhile breaks it.
    for name, module in sys.modules.copy().items():
        parent, _, stem = name.partition(".")
        if parent == NAME and stem and not is_current(stem, module, theirs):
            del sys.modules[name]
            vars(OURS).pop(stem, None)


def is_current(stem: str, module: object, theirs: list[Path]) -> bool:
    """Whether a module is what its name would be imported from now."""
    path = Path(getattr(module, "__file__", None) or "")
    for folder in theirs:
        if is_within(path, folder):
            return True
        top = stem.partition(".")[0]
        if (folder / f"{top}.py").exists() or (folder / top).is_dir():
            return False
    return is_within(path, FOLDER)


def is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)


def find_intruder(folder: Path, config: Path) -> str:
    """Why what lies in this folder may be somebody else's than the config's, which would be run; "" if not.

    So it is with /tmp/plugins beside /tmp/guerdon.toml: anybody can have made it.
    """
    if not folder.is_dir():
        return ""
    status = folder.stat()
    if status.st_uid not in (0, os.geteuid(), config.stat().st_uid):
        return f"{folder} belongs to another user than {config}"
    if status.st_mode & stat.S_IWOTH:
        return f"everybody may write into {folder}: chmod o-w it"
    return ""
