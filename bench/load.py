"""The load: deliveries written beforehand, wrk, and what the processes under it used."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app.testing.deliveries import make_delivery

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")


def make_ids(count: int) -> list[str]:
    """So many ids of votes cast from now on, one every 10 us."""
    now = time.time_ns() // 10_000
    return [make_id(now + number) for number in range(count)]


def make_id(at: int) -> str:
    """A UUID as the platform's are, of a vote cast at `at`, in 10 us since the epoch.

    Theirs begin with that clock: the one in its document, 9824cabb-2203-437e-..., reads
    2023-01-04 13:11:15 (page on vote rewards, example of an event).
    """
    return str(uuid.UUID(f"{at:012x}{uuid.uuid4().hex[12:]}"))


def write_bodies(path: Path, ids: Iterable[str]) -> Path:
    """A signed delivery of each vote, one a line."""
    with path.open("wb") as file:
        file.writelines(make_delivery(id) + b"\n" for id in ids)
    return path


def run_wrk(
    url: str, bodies: Path, connections: int, seconds: float, script: str = "votes.lua"
) -> dict[str, Any]:
    """Post the bodies for so long: requests, seconds, not_2xx, broken, median_ms, p99_ms."""
    environment = os.environ | {"BENCH_BODIES": str(bodies)}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s",
               "-s", str(HERE / script), url]  # fmt: skip
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert "RESULT " in done.stdout, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout.partition("RESULT ")[2])
    return result


def list_family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, children.split())]


def read_cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU the processes have used."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / TICKS


def read_memory(pid: int) -> float:
    """MB resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def wait_for_rest(pids: Sequence[int], longest: float = 10.0) -> None:
    """Until the processes use less than a twentieth of a core, or so many seconds are over."""
    deadline = time.monotonic() + longest
    while time.monotonic() < deadline:
        before = read_cpu(pids)
        time.sleep(0.4)
        if read_cpu(pids) - before < 0.4 / 20:
            return
