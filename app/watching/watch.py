"""One look at everything, kept for some seconds, for whoever shows it or judges it."""

import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import structlog
from peewee import PeeweeException

from app.database.clock import make_clock
from app.database.opening import Database
from app.host.loading import Plugins
from app.metrics import families
from app.metrics.exposition import Sample, list_samples, read_counted, write_text
from app.metrics.families import Family
from app.metrics.folder import ALL, GAUGES
from app.porch.errors import DatabaseUnavailable
from app.watching.label_values import list_reporters
from app.watching.looking import LastSettled, look_at_boxes
from app.watching.plugin_gauges import PluginGauges
from app.watching.reconciled import look_at_reconciliations

log = structlog.get_logger()

KEPT = 5_000  # ms


@dataclass(frozen=True)
class Sight:
    """What was seen: samples of the database and of plugins, and whether each of the two told all."""

    samples: tuple[Sample, ...]
    is_ready: bool
    is_whole: bool  # the database answered
    has_all_gauges: bool

    def find(self, name: str) -> dict[tuple[str, ...], float]:
        """The numbers of this name, by their labels' values."""
        return {one.values: one.number for one in self.samples if one.family.name == name}


class Watch:
    """Looks, and writes what it saw for Prometheus."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        folder: Path,
        require_ready: Callable[[], None],
        now: Callable[[], int],
        compared_every: int = 0,
    ) -> None:
        """`folder`: of what processes count; `require_ready` raises where no vote could be paid.

        `now` gives ms since the epoch. Every so many seconds lists are compared with the ledger; 0: by hand.
        """
        self._listing = plugins.list_answerers("list_votes")
        self._compared_every = compared_every
        self._database = database
        self._folder = folder
        self._require_ready = require_ready
        self._reporters = list_reporters(plugins)
        self._last_settled = LastSettled(database)
        self._gauges = PluginGauges(database, plugins, now)
        self._lock = threading.Lock()
        self._ticks = make_clock(now).ticks
        self._seen: tuple[int, Sight] | None = None

    def look(self) -> Sight:
        """What is so now, or was some seconds ago. Never raises for the database's faults."""
        with self._lock:
            if self._seen is None or self._ticks() >= self._seen[0] + KEPT:
                sight = self._look()
                self._seen = self._ticks(), sight
            return self._seen[1]

    def _look(self) -> Sight:
        samples: list[Sample] = []
        has_all_gauges = is_whole = is_ready = False
        try:
            with self._database.give_back():
                samples += self._database.read(self._look_at_database)
                is_whole = True
                gauges, has_all_gauges = self._gauges.ask()
                samples += gauges
                self._require_ready()
                is_ready = True
        except (PeeweeException, DatabaseUnavailable) as error:
            log.warning("not looked at", reason=type(error).__name__)
        samples.append(Sample(families.READY, (), float(is_ready)))
        labels = (find_version(), self._database.family)
        samples.append(Sample(families.BUILD_INFO, labels, 1.0))
        return Sight(tuple(samples), is_ready, is_whole, has_all_gauges)

    def _look_at_database(self) -> list[Sample]:
        return [
            *look_at_boxes(self._database, self._reporters),
            *self._last_settled.look(),
            *look_at_reconciliations(self._listing, self._compared_every),
        ]

    def read_counted(self) -> list[Sample]:
        """What this host's processes counted, of histograms how often; none where nothing is."""
        kinds = [one.family for one in families.MEASURED]
        return list(list_samples(self._read_counted(), kinds))

    def list_paused_reporters(self) -> list[str]:
        """Those whose reports some process of this host sends to nobody now, for nobody was there."""
        family = families.REPORTER_PAUSED.family
        samples = list_samples(self._read_counted(GAUGES), [family])
        return sorted({one.values[0] for one in samples if one.number})

    def _read_counted(self, files: str = ALL) -> list[Any]:
        try:
            return read_counted(self._folder, files)
        except (OSError, ValueError, struct.error) as error:
            log.warning("counts not read", folder=str(self._folder), reason=str(error))
            return []

    def write_metrics(self) -> bytes:
        """All that is counted and seen, in the text that Prometheus reads."""
        return write_text(self._read_counted(), group_samples(self.look().samples))


def group_samples(samples: Iterable[Sample]) -> dict[Family, list[Sample]]:
    """The samples of each family, those of the house even where there are none."""
    groups: dict[Family, list[Sample]] = {family: [] for family in families.LOOKED_UP}
    for one in samples:
        groups.setdefault(one.family, []).append(one)
    return groups


def find_version() -> str:
    try:
        return version("guerdon")
    except PackageNotFoundError:
        return ""


def write_metrics(guerdon: Any) -> bytes:
    """What /metrics answers for a Guerdon."""
    text: bytes = guerdon.watch.write_metrics()
    return text
