"""Processes that pay, forked from one that has imported all they need: importing takes most of a second.

`python -m app.testing.contracts.forking NUMBER` is that one; at the socket NUMBER it hears of each to fork,
until whoever tells it is gone. It has no thread, no database and no plugin: each fork opens its own.
"""

import atexit
import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from app.failpoints import VARIABLE
from app.testing.contracts import payer

PATIENCE = 120  # seconds for one that pays


class Done(NamedTuple):
    """How one has ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Nursery:
    """The process that forks; with a folder as `points`, crash points that lie there kill."""

    def __init__(self, points: Path | None) -> None:
        self.environment = read_environment()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.testing.contracts.forking", str(number)],
                pass_fds=[number], stdin=subprocess.DEVNULL,
                env=self.environment | ({VARIABLE: str(points)} if points else {}),
            )  # fmt: skip
        atexit.register(self.close)

    def run(self, order: str) -> Done:
        """Have a fork do what is ordered, and wait for its end."""
        ours, theirs = socket.socketpair()
        with ours, open_file() as given, open_file() as said, open_file() as log:
            given.write(order)
            given.seek(0)
            with theirs:
                numbers = [one.fileno() for one in (given, said, log, theirs)]
                socket.send_fds(self._control, [b"fork"], numbers)
            ended = ours.recv(16)
            assert ended, "what forks the processes that pay has ended"
            said.seek(0)
            log.seek(0)
            return Done(int(ended), said.read(), log.read())

    def close(self) -> None:
        """End it; forks go on to their own ends."""
        atexit.unregister(self.close)
        self._control.close()
        self._process.wait(PATIENCE)


class Nurseries:
    """One for those that are killed and one for the others, begun when the first is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[bool, Nursery] = {}
        self._points: tempfile.TemporaryDirectory[str] | None = None

    def run(self, order: str, crash: str = "") -> Done:
        """How a process ended that was given this order; with `crash`, that point is armed meanwhile."""
        nursery = self._begin(bool(crash))
        if not crash:
            return nursery.run(order)
        point = self._find_points() / crash
        point.touch()
        try:
            return nursery.run(order)
        finally:
            point.unlink(missing_ok=True)

    def _begin(self, is_armed: bool) -> Nursery:
        """The one that has our environment."""
        with self._lock:
            begun = self._begun.get(is_armed)
            if begun is not None and begun.environment != read_environment():
                begun.close()
                begun = None
            if begun is None:
                begun = self._begun[is_armed] = Nursery(self._find_points() if is_armed else None)
            return begun

    def _find_points(self) -> Path:
        if self._points is None:
            self._points = tempfile.TemporaryDirectory(prefix="guerdon-points-")
            atexit.register(self._points.cleanup)
        return Path(self._points.name)


def read_environment() -> dict[str, str]:
    """Ours, without what pytest notes there of each test."""
    return {name: one for name, one in os.environ.items() if not name.startswith("PYTEST_CURRENT")}


def open_file() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def serve(control: socket.socket) -> None:
    """Fork for each that is told of, until nobody is there to tell."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who watches over a fork tells of its end
    while True:
        told, numbers, *_ = socket.recv_fds(control, 16, 4)
        if not told:
            return
        if not os.fork():
            watch_over(numbers)
        for number in numbers:
            os.close(number)


def watch_over(numbers: Sequence[int]) -> None:
    """Fork the one that pays, and tell of its end however that comes."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, answer = numbers
    pid = os.fork()
    if not pid:
        pay(streams)
    _, status = os.waitpid(pid, 0)
    os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def pay(streams: Sequence[int]) -> None:
    """As a process of its own, with these as its input, output and log."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.alarm(PATIENCE)
    status = 1
    try:
        payer.main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream_ in (sys.__stdout__, sys.__stderr__):
            if stream_ is not None:
                stream_.flush()
        os._exit(status)


NURSERIES = Nurseries()

if __name__ == "__main__":
    gc.freeze()  # what is there stays, and is shared
    with socket.socket(fileno=int(sys.argv[1])) as told_by:
        serve(told_by)
