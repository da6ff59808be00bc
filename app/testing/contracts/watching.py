"""What a plugin does inside of a transaction that it may not, as Python's own audit events tell it."""

import sys
import threading
import time
from collections.abc import Callable, Collection
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from app.config.reading import read_config
from app.host.folder import use_folder
from app.porch.hookspecs import NAME

# PEP 578's events, and what each would mean.
FORBIDDEN = {
    "socket.connect": "speaks to the network",
    "socket.getaddrinfo": "looks up a host",
    "socket.sendto": "speaks to the network",
    "sqlite3.connect": "opens a connection of its own, which commits apart from ours",
    "time.sleep": "sleeps, while everybody's payments wait",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.fork": "forks",
    "fcntl.flock": "waits for a lock on a file",
    "fcntl.lockf": "waits for a lock on a file",
    "threading.Thread.start": "starts a thread",
}
WRITING = ("w", "a", "x", "+")
PAYER = str(Path("app") / "paying" / "payer.py")


class Watcher:
    """Notes what code of these files does: anywhere at first, within a payment once `is_inside` is set."""

    def __init__(self, files: Collection[Path]) -> None:
        self.seen: list[str] = []
        self.is_inside = False
        self._files = {str(file) for file in files}
        sys.addaudithook(self._hear)

    def take_seen(self) -> list[str]:
        """What was noted since it was asked last, each once."""
        seen, self.seen = list(dict.fromkeys(self.seen)), []
        return seen

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            mode = str(arguments[1] or "r")
            what = "writes a file" if any(sign in mode for sign in WRITING) else ""
        else:
            what = FORBIDDEN.get(event, "")
        if what and (place := self._find_place(sys._getframe(1))):
            self.seen.append(f"{place} {what}")

    def _find_place(self, frame: FrameType | None) -> str:
        """The innermost line of the watched files on the way here; "" where there is none."""
        place, is_watched = "", not self.is_inside
        while frame is not None:
            name = frame.f_code.co_filename
            if not place and name in self._files:
                place = f"{Path(name).name}, line {frame.f_lineno},"
            is_watched = is_watched or name.endswith(PAYER)
            frame = frame.f_back
        return place if is_watched else ""


def announce_calls() -> None:
    """Have threads and sleeps be audit events too, as only later versions of Python have them."""

    def announce(function: Callable[..., Any], event: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            sys.audit(event)
            return function(*args, **kwargs)

        return call

    time.sleep = announce(time.sleep, "time.sleep")
    threading.Thread.start = announce(  # type: ignore[method-assign]
        threading.Thread.start, "threading.Thread.start"
    )


def find_files(config: Path, plugin: str) -> list[Path]:
    """The source files of a plugin, before it is imported: of a package all of them."""
    use_folder(read_config(config)[0].plugins_folder)
    modules = [entry.module for entry in entry_points(group=NAME, name=plugin)]
    for module in (f"plugins.{plugin}", *modules):
        spec = find_spec(module)
        if spec is not None and spec.origin:
            path = Path(spec.origin)
            return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return []
