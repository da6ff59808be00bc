"""Begins to measure in this process; before that, and where it is switched off, nothing is counted."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.metrics.families import SECONDS, Meters
from app.metrics.folder import VARIABLE, make_room, remove_files_of_dead

Wanted = Iterable[tuple[Meters, Iterable[tuple[str, ...]]]]


def start_measuring(folder: Path, wanted: Wanted) -> None:
    """Count from now on in files of `folder`, for these values of each family's labels, each from 0.

    Raises OSError where the folder cannot be written, or has no room. The library is imported here, by
    the process that counts: it reads its variable only then, and what it opens does not outlive a fork.
    """
    make_room(folder)
    remove_files_of_dead(folder, "gauge_live*.db")  # who is gone pauses nobody
    os.environ[VARIABLE] = str(folder)
    import prometheus_client  # noqa: PLC0415  (see above)

    makers: dict[str, Any] = {
        "counter": prometheus_client.Counter,
        "histogram": prometheus_client.Histogram,
        "gauge": prometheus_client.Gauge,
    }
    more: dict[str, dict[str, Any]] = {
        "histogram": {"buckets": SECONDS},
        "gauge": {"multiprocess_mode": "livemax"},
    }
    for meters, values in wanted:
        family = meters.family
        options = more.get(family.kind, {})
        metric = makers[family.kind](
            family.name, family.text, family.labels, registry=None, **options
        )
        for value in values:
            # Held for good: to look one up by its labels costs more than to count in it.
            key = value[0] if len(value) == 1 else value
            meters[key] = metric.labels(*value) if value else metric
    make_room(folder)  # the files may have grown
