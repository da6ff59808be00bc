"""Begins to measure in this process; before that, and where it is switched off, nothing is counted.

On the way of a vote a number is only put into a list. Once a second all lists are added up and written where
other processes read them, which is most of the cost; a kill loses what is not written yet.
"""

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from app.metrics.families import SECONDS, Meters
from app.metrics.folder import GAUGES, VARIABLE, make_room, remove_files_of_dead

log = structlog.get_logger()

Wanted = Iterable[tuple[Meters, Iterable[tuple[str, ...]]]]
WRITE_EVERY = 1.0  # seconds


class Listed:
    """A meter that keeps numbers in a list until they are written; in any thread, without a lock."""

    __slots__ = ("_numbers", "_write", "observe")

    def __init__(self, write: Callable[[Sequence[float]], None]) -> None:
        self._numbers: list[float] = []
        self._write = write
        self.observe = self._numbers.append

    def inc(self) -> None:
        self._numbers.append(1.0)

    def set(self, value: float) -> None:
        raise TypeError("only a gauge is set")

    def write(self) -> None:
        """Write what is there by now; what comes meanwhile stays for the next time."""
        if count := len(self._numbers):
            some = self._numbers[:count]
            del self._numbers[:count]
            self._write(some)


LISTED: list[Listed] = []  # of this process
WRITING = threading.Lock()


def start_measuring(folder: Path, wanted: Wanted) -> None:
    """Count from now on in files of `folder`, for these values of each family's labels, each from 0.

    Raises OSError where the folder cannot be written, or has no room. The library is imported here, by
    the process that counts: it reads its variable only then, and what it opens does not outlive a fork.
    """
    make_room(folder)
    remove_files_of_dead(folder, GAUGES)  # who is gone pauses nobody
    os.environ[VARIABLE] = str(folder)
    for meters, values in wanted:
        metric = make_metric(meters)
        for value in values:
            # Held for good: to look one up by its labels costs more than to count in it.
            child = metric.labels(*value) if value else metric
            meters[value[0] if len(value) == 1 else value] = hold(meters, child)
    make_room(folder)  # the files may have grown
    threading.Thread(target=write_until_the_end, name="measuring", daemon=True).start()


def make_metric(meters: Meters) -> Any:
    import prometheus_client  # noqa: PLC0415  (see start_measuring)

    family = meters.family
    facts = (family.name, family.text, family.labels)
    if family.kind == "counter":
        return prometheus_client.Counter(*facts, registry=None)
    if family.kind == "histogram":
        return prometheus_client.Histogram(*facts, registry=None, buckets=SECONDS)
    return prometheus_client.Gauge(*facts, registry=None, multiprocess_mode="livemax")


def hold(meters: Meters, child: Any) -> Any:
    """What takes the numbers of one child; a gauge, which rarely changes, takes its own."""
    if meters.family.kind == "gauge":
        return child
    if meters.family.kind == "counter":
        listed = Listed(lambda numbers: child.inc(len(numbers)))
    else:
        listed = Listed(lambda numbers: observe_all(child, numbers))
    LISTED.append(listed)
    return listed


def observe_all(child: Any, numbers: Sequence[float]) -> None:
    """As `child.observe` with each number, at the cost of one or two: the library has no such call."""
    for place, count in Counter(bisect_left(SECONDS, number) for number in numbers).items():
        child._buckets[place].inc(count)
    child._sum.inc(sum(numbers))


def write_counts() -> None:
    """Write what this process has counted and not written yet."""
    with WRITING:
        for one in LISTED:
            one.write()


def write_until_the_end() -> None:
    pause = threading.Event()
    while not pause.wait(WRITE_EVERY):
        try:
            write_counts()
        except Exception as error:
            log.error("counts not written", exc_info=error)
