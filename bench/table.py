"""Figures out of rounds: medians, ratios against PHP, the targets, and tables of them in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

PHP = "php"
# By scenario, by side: {"medians": …, "rounds": […], and where PHP was measured too "against_php"}
Results = Mapping[str, Mapping[str, Any]]
COLUMNS = {
    "votes_per_second": "votes/s", "median_ms": "median ms", "p99_ms": "p99 ms",
    "cpu_us": "CPU us/vote", "database_cpu_us": "database's", "vote_api_cpu_us": "vote API's",
    "memory_mb": "MB/worker",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A side's median figure, as a multiple of PHP's in the same scenario."""

    scenario: str
    side: str
    bound: float
    figure: str = "votes_per_second"
    is_most: bool = False  # the bound is the most there may be, not the least

    def is_reached(self, ratio: float) -> bool:
        return ratio <= self.bound if self.is_most else ratio >= self.bound


TARGETS = (
    Target("at-once-32", "mariadb", 1.4),
    Target("at-once-128", "mariadb", 2.0),
    Target("at-once-32", "sqlite", 1.6),
    Target("at-once-128", "sqlite", 2.3),
    Target("50ms-128", "mariadb", 6.0),
    Target("50ms-128", "sqlite", 6.5),
    Target("redelivered-32", "mariadb", 4.0),
    Target("redelivered-32", "sqlite", 5.0),
    Target("at-once-32", "mariadb", 1.2, "p99_ms", is_most=True),
    Target("at-once-32", "sqlite", 1.2, "p99_ms", is_most=True),
    Target("redelivered-32", "mariadb", 1.2, "p99_ms", is_most=True),
    Target("redelivered-32", "sqlite", 1.2, "p99_ms", is_most=True),
)


def summarize(sides: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """One scenario's rounds by side, in the same order: medians, and how often PHP's votes a second."""
    summary: dict[str, Any] = {}
    for side, rounds in sides.items():
        medians = {key: round(median(one[key] for one in rounds), 2) for key in rounds[0]}
        summary[side] = {"medians": medians, "rounds": list(rounds)}
    for side in summary.keys() - {PHP} if PHP in summary else ():
        rates = [
            [one["votes_per_second"] for one in summary[name]["rounds"]] for name in (side, PHP)
        ]
        by_round = [round(ours / theirs, 3) for ours, theirs in zip(*rates, strict=True)]
        whole = divide(summary, side, "votes_per_second")
        summary[side]["against_php"] = {"medians": whole, "rounds": by_round}
    return summary


def divide(scenario: Mapping[str, Any], side: str, figure: str) -> float:
    """The side's median of a figure, as a multiple of PHP's."""
    ours, theirs = (scenario[name]["medians"][figure] for name in (side, PHP))
    return float(round(ours / theirs, 3))


def judge(results: Results) -> list[dict[str, Any]]:
    """Each target whose sides were measured, and whether it is reached."""
    verdicts = []
    for target in TARGETS:
        scenario = results.get(target.scenario, {})
        if target.side in scenario and PHP in scenario:
            ratio = divide(scenario, target.side, target.figure)
            verdicts.append({
                "scenario": target.scenario, "side": target.side, "figure": target.figure,
                "wanted": f"{'<=' if target.is_most else '>='} {target.bound:g}", "ratio": ratio,
                "is_reached": target.is_reached(ratio),
            })  # fmt: skip
    return verdicts


def draw_row(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def draw_head() -> Iterator[str]:
    head = ["scenario", "side", *COLUMNS.values(), "times PHP's votes/s (by round)"]
    yield draw_row(head)
    yield "|---" * len(head) + "|"


def draw_scenario(name: str, sides: Mapping[str, Any]) -> Iterator[str]:
    """A row for each side: its medians; the ratio with its least and greatest round."""
    for side, one in sides.items():
        cells = [write_figure(one["medians"][key]) for key in COLUMNS]
        yield draw_row([name, side, *cells, write_ratio(one.get("against_php"))])


def write_figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def write_ratio(ratio: Mapping[str, Any] | None) -> str:
    if ratio is None:
        return ""
    rounds = ratio["rounds"]
    return f"{ratio['medians']:.2f} ({min(rounds):.2f} to {max(rounds):.2f})"


def draw_targets(verdicts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield draw_row(["scenario", "side", "figure", "wanted, times PHP's", "is", ""])
    yield "|---" * 6 + "|"
    for one in verdicts:
        name = COLUMNS[one["figure"]]
        verdict = "reached" if one["is_reached"] else "missed"
        cells = [one["scenario"], one["side"], name, one["wanted"], f"{one['ratio']:.2f}", verdict]
        yield draw_row(cells)
