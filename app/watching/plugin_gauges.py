"""What plugins say of themselves: their hook `gauges`, each asked alone, with a time-out."""

import math
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from app.database.opening import Database
from app.host.loading import Plugins
from app.metrics.exposition import Sample
from app.metrics.families import PLUGIN_PREFIX, Family
from app.pending import Pending
from app.porch.types import Gauge

log = structlog.get_logger()

PATIENCE = 1.0  # seconds for one plugin
MOST = 200  # numbers of one plugin
LONGEST = 255  # characters of a label's value
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")


class PluginGauges:
    """Asks the plugins, one after the other; one that is late is not asked again before it has ended."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        now: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        """`now` gives ms since the epoch; `patience` is in seconds."""
        self._database = database
        self._plugins = plugins
        self._now = now
        self._patience = patience
        self._asked: dict[str, Pending[list[Sample] | None]] = {}

    def ask(self) -> tuple[list[Sample], bool]:
        """What they say, and whether all of them said it; a fault is in the log."""
        samples: list[Sample] = []
        is_whole = True
        for name in self._plugins.list_answerers("gauges"):
            found = self._ask_plugin(name)
            is_whole = is_whole and found is not None
            samples += found or []
        return samples, is_whole

    def _ask_plugin(self, name: str) -> list[Sample] | None:
        pending = self._asked.get(name)
        if pending is None:
            pending = self._asked[name] = Pending()
            threading.Thread(target=self._run, args=(name, pending), daemon=True).start()
        try:
            found = pending.wait(self._patience)
        except TimeoutError:
            log.warning("gauges are late", plugin=name, seconds=self._patience)
            return None
        del self._asked[name]
        return found

    def _run(self, name: str, pending: "Pending[list[Sample] | None]") -> None:
        """In a thread, so on a connection of its own; None where the plugin failed."""
        facts = {"settings": self._plugins.settings, "now": self._now()}
        found = None
        try:
            with self._database.connection_context():
                said = self._plugins.only("gauges", name)(db=self._database, **facts)
                found = list(read_gauges(said))
        except Exception as error:
            log.error("gauges failed", plugin=name, exc_info=error)
        finally:
            pending.give(found)


def read_gauges(said: Any) -> Iterator[Sample]:
    """The numbers of one plugin's answer; raises TypeError or ValueError for what is none."""
    gauges = [one for answer in said for one in answer]
    if len(gauges) > MOST:
        raise ValueError(f"a plugin may say {MOST} numbers, and this one said {len(gauges)}")
    families: dict[str, Family] = {}
    for one in gauges:
        if not isinstance(one, Gauge):
            raise TypeError(f"{type(one).__name__} is no app.Gauge")
        labels = {str(name): str(value)[:LONGEST] for name, value in one.labels.items()}
        for name in (one.name, *labels):
            if not isinstance(name, str) or not NAME.match(name):
                raise ValueError(f"{name!r} is no name: small letters, digits and _ are")
        number = float(one.value)
        if math.isnan(number):
            raise ValueError(f"{one.name} is no number")
        new = Family(PLUGIN_PREFIX + one.name, "gauge", tuple(sorted(labels)), one.help)
        family = families.setdefault(new.name, new)
        if family.labels != new.labels:
            raise ValueError(f"{one.name} has not the same labels each time")
        yield Sample(family, tuple(labels[name] for name in family.labels), number)
