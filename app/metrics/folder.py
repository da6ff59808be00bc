"""The folder of a system's numbers: a folder in it for each kind of process, in that three files a process.

A file outlives its process, or a counter would run backwards. Those of processes that are gone go before the
next start.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
KINDS = ("counter", "histogram", "gauge_livemax")
ALL, GAUGES = "*.db", "gauge_live*.db"
ROOM = 1 << 18  # bytes of a file


def choose_folder(said: Path | None, usual: Path) -> Path:
    """The folder that the config says, else the environment, else the usual one."""
    return said or Path(os.environ.get(VARIABLE) or usual)


def find_files(folder: Path, which: str = ALL) -> list[Path]:
    """The files of all processes, of each kind of them; `which`: ALL, or GAUGES."""
    return sorted(folder.glob(f"*/{which}"))


def remove_files_of_dead(folder: Path, pattern: str = ALL) -> None:
    """Remove what processes left in the folder of their kind that do not live any more."""
    for path, pid in list_processes(folder, pattern):
        if not is_alive(pid):
            path.unlink(missing_ok=True)


def list_processes(folder: Path, pattern: str) -> Iterator[tuple[Path, int]]:
    for path in folder.glob(pattern):
        number = path.stem.rpartition("_")[2]
        if number.isdecimal():
            yield path, int(number)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def make_room(folder: Path) -> None:
    """Have the disk keep room for this process's files; raises OSError where there is none.

    They are written as memory: on a full disk, without that, a write would kill the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        with open(folder / f"{kind}_{os.getpid()}.db", "ab") as file:
            size = max(ROOM, os.fstat(file.fileno()).st_size)
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
