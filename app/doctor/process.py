"""The service's processes: is it there, with how many workers, and may it open files enough?"""

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

from app.config.reading import find_folder
from app.doctor.findings import Finding, say_ok, warn
from app.doctor.pids import find_pid_file, find_server, list_workers
from app.guerdon import Guerdon

OPEN_FILES = 16_384  # that a worker of many connections wants
MOST_A_CORE = 4  # workers
OPEN = re.compile(r"^Max open files\s+\S+\s+(\S+)", re.M)


def find_service(guerdon: Guerdon) -> tuple[str, int | None]:
    """The address at which the service of this folder is started, and its process here, if any."""
    bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
    return bind, find_server(find_pid_file(find_folder(guerdon.config.path), bind))


def check_service(guerdon: Guerdon) -> Iterator[Finding]:
    """Whether `guerdon serve` of this folder runs on this host."""
    bind, pid = find_service(guerdon)
    if pid is None:
        text = f"no `guerdon serve` of this folder is seen here at {bind}"
        yield warn("service", text, "guerdon serve   (or ask where it runs; see GUERDON_BIND)")
        return
    workers, cores = len(list_workers(pid)), os.cpu_count() or 1
    text = f"process {pid} at {bind}: {workers} workers on {cores} cores"
    if workers > MOST_A_CORE * cores:
        yield warn("service", f"{text}: they wait for each other", f"WEB_CONCURRENCY={cores}")
    elif not workers:
        yield warn("service", f"{text}: none serves", "look into its log for why")
    else:
        yield say_ok("service", text)


def check_limits(guerdon: Guerdon) -> Iterator[Finding]:
    """How many files the service may open, each connection being one; this process where it is elsewhere."""
    pid = find_service(guerdon)[1]
    allowed = read_limit(pid) if pid else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed not in (None, resource.RLIM_INFINITY) and allowed < OPEN_FILES:
        text = f"only {allowed:,} files may be open at once, and each connection is one"
        yield warn(
            "limits", text, f"LimitNOFILE={OPEN_FILES} in its unit, or ulimit -n {OPEN_FILES}"
        )
    else:
        yield say_ok("limits", "as many files may be open as it wants")


def read_limit(pid: int) -> int | None:
    """The hard limit of a process; None where it has none, or may not be looked at."""
    try:
        found = OPEN.search(Path(f"/proc/{pid}/limits").read_text())
    except OSError:
        return None
    return int(found[1]) if found and found[1].isdigit() else None
