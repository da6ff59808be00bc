"""What all processes have counted, read from their files; and numbers in the text that Prometheus reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.metrics.families import Family
from app.metrics.folder import ALL, find_files

TRIES = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A number, by the values of its family's labels."""

    family: Family
    values: tuple[str, ...]
    number: float


def read_counted(folder: Path, which: str = ALL) -> list[Any]:
    """What is counted so far, as the library's metrics; nothing where nothing is."""
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    for tries_left in reversed(range(TRIES)):
        try:
            # One of a process that begins just now is empty, until it has room.
            files = [str(path) for path in find_files(folder, which) if path.stat().st_size]
            return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]
        except FileNotFoundError:  # a process has ended just now
            if not tries_left:
                raise
    return []


def list_samples(metrics: Iterable[Any], families: Iterable[Family]) -> Iterator[Sample]:
    """The samples of these families among the library's metrics; of a histogram its counts."""
    ends = {"histogram": "_count"}
    known = {family.name + ends.get(family.kind, ""): family for family in families}
    for metric in metrics:
        for one in metric.samples:
            if family := known.get(one.name):
                yield Sample(family, tuple(one.labels[name] for name in family.labels), one.value)


def write_text(counted: Iterable[Any], samples: Mapping[Family, Iterable[Sample]]) -> bytes:
    """The exposition: what was `counted`, and `samples` of other families."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

    class Collected:
        def collect(self) -> Iterator[Any]:
            yield from counted
            for family, some in samples.items():
                yield make_metric(family, some)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    return generate_latest(registry)


def make_metric(family: Family, samples: Iterable[Sample]) -> Any:
    from prometheus_client import Metric  # noqa: PLC0415

    metric = Metric(family.name, family.text, family.kind)
    for one in samples:
        metric.add_sample(
            family.name, dict(zip(family.labels, one.values, strict=True)), one.number
        )
    return metric
