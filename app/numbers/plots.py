"""Series for plots: names sorted by their totals, and their points as plain lists."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.counting.imported import VOTE
from app.database.opening import Database
from app.numbers.reading import Spans, find_begin, read_spans
from app.numbers.sampling import AGE, NUMBER
from app.numbers.tallies import Series, Tally, What

MOST_NAMES = 12
OTHERS = "others"


class PlotName(StrEnum):
    """What can be plotted."""

    VOTES_BY_SOURCE = "votes by source"
    VOTES_BY_SERVER = "votes by server"
    EVENTS_BY_TYPE = "events by type"
    GRANTS_BY_RULE = "grants by rule"
    GRANTS_BY_KIND = "grants by kind"
    SUMS_BY_RULE = "sums by rule"
    SUMS_BY_KIND = "sums by kind"
    SENDS_BY_REPORTER = "sends by reporter"
    SENDS_BY_RESULT = "sends by result"
    LATENCY = "latency"
    LONGEST_LATENCY = "longest latency"
    ATTEMPTS = "attempts"
    INBOX_AGE = "inbox age"
    INBOX_WAITING = "inbox waiting"
    REPORTS_AGE = "reports age"
    REPORTS_WAITING = "reports waiting"


@dataclass(frozen=True, slots=True)
class Plot:
    """How series make a plot: what they are called in it, "" for those left out, and what is drawn.

    `unit` is what the points are: how many of what, or seconds. Where nothing was counted a point is
    0, or None where 0 would say something else.
    """

    what: What
    unit: str
    name: Callable[[Series], str]
    value: Callable[[Tally], float | None]
    nothing: float | None = 0


@dataclass(frozen=True, slots=True)
class Points:
    """Points for uPlot: the first list are times in seconds, then comes one for each name.

    `totals` are what each name comes to in the whole time, in the order of `names`; the largest is first,
    and "others" last.
    """

    unit: str
    names: list[str]
    points: list[list[float | None]]
    totals: list[float | None]


def count_number(tally: Tally) -> float | None:
    return tally.number


def sum_amount(tally: Tally) -> float | None:
    """A float: a plot has no more digits."""
    return float(tally.amount) if tally.amount is not None else 0.0


def mean_seconds(tally: Tally) -> float | None:
    return round(tally.total / tally.number / 1000, 3) if tally.number else None


def longest_seconds(tally: Tally) -> float | None:
    return tally.longest / 1000


def find_most(tally: Tally) -> float | None:
    return tally.longest


def name_kind_of_rule(series: Series) -> str:
    return f"{series.rule}: {series.kind}"


def name_sample(result: str) -> Callable[[Series], str]:
    def name(series: Series) -> str:
        return (series.reporter or "events") if series.result == result else ""

    return name


def if_vote(field: str) -> Callable[[Series], str]:
    """What a vote's field holds; "(none)" for one without."""

    def name(series: Series) -> str:
        return (getattr(series, field) or "(none)") if series.type == VOTE else ""

    return name


PLOTS: Mapping[PlotName, Plot] = {
    PlotName.VOTES_BY_SOURCE: Plot(What.EVENTS, "votes", if_vote("source"), count_number),
    PlotName.VOTES_BY_SERVER: Plot(What.EVENTS, "votes", if_vote("server_id"), count_number),
    PlotName.EVENTS_BY_TYPE: Plot(What.EVENTS, "events", lambda one: one.type, count_number),
    PlotName.GRANTS_BY_RULE: Plot(What.GRANTS, "grants", lambda one: one.rule, count_number),
    PlotName.GRANTS_BY_KIND: Plot(What.GRANTS, "grants", lambda one: one.kind, count_number),
    PlotName.SUMS_BY_RULE: Plot(What.GRANTS, "sum", name_kind_of_rule, sum_amount),
    PlotName.SUMS_BY_KIND: Plot(What.GRANTS, "sum", lambda one: one.kind, sum_amount),
    PlotName.SENDS_BY_REPORTER: Plot(What.SENDS, "sends", lambda one: one.reporter, count_number),
    PlotName.SENDS_BY_RESULT: Plot(What.SENDS, "sends", lambda one: one.result, count_number),
    PlotName.LATENCY: Plot(What.SENDS, "seconds", lambda one: one.reporter, mean_seconds, None),
    PlotName.LONGEST_LATENCY: Plot(
        What.SENDS, "seconds", lambda one: one.reporter, longest_seconds, None
    ),
    PlotName.ATTEMPTS: Plot(What.ATTEMPTS, "attempts", lambda one: one.result, count_number),
    PlotName.INBOX_AGE: Plot(What.INBOX, "seconds", name_sample(AGE), longest_seconds, None),
    PlotName.INBOX_WAITING: Plot(What.INBOX, "events", name_sample(NUMBER), find_most, None),
    PlotName.REPORTS_AGE: Plot(What.REPORTS, "seconds", name_sample(AGE), longest_seconds),
    PlotName.REPORTS_WAITING: Plot(What.REPORTS, "reports", name_sample(NUMBER), find_most),
}


def read_series(database: Database, name: str, since: int, until: int, step: int) -> Points:
    """The points of a plot from `since` until before `until`, one each `step`; all in ms.

    `name` is a PlotName. The step is of whole hours; read_spans says where the times begin. Ages and what
    waits are the most of each span. Raises ValueError for another name or step.
    """
    return read_plots(database, [name], since, until, step)[PlotName(name)]


def read_plots(
    database: Database, names: Iterable[str], since: int, until: int, step: int
) -> dict[PlotName, Points]:
    """Several plots of one time, as read_series; what several of them are made of is read once."""
    wanted = [PlotName(name) for name in names]
    whats = dict.fromkeys(PLOTS[name].what for name in wanted)
    spans = {what: read_spans(database, what, since, until, step) for what in whats}
    times = range(find_begin(since, step), until, step)
    return {name: make_points(PLOTS[name], spans[PLOTS[name].what], times) for name in wanted}


def make_points(plot: Plot, read: Spans, times: range) -> Points:
    """A plot of what was read, with a point at each of these times (ms)."""
    spans = name_spans(plot, read)
    totals = add_names(spans)
    ranked = sorted(totals, key=lambda one: (-(plot.value(totals[one]) or 0), one))
    shown = ranked if len(ranked) <= MOST_NAMES else ranked[:MOST_NAMES]
    columns = {one: [spans.get(at, {}).get(one) for at in times] for one in shown}
    whole = [totals[one] for one in shown]
    if rest := ranked[len(shown) :]:
        shown = [*shown, OTHERS]
        columns[OTHERS] = [add_tallies(spans.get(at, {}), rest) for at in times]
        whole.append(add_tallies(totals, rest) or Tally())
    points = [
        [plot.nothing if tally is None else plot.value(tally) for tally in columns[one]]
        for one in shown
    ]
    seconds: list[float | None] = [at // 1000 for at in times]
    return Points(plot.unit, shown, [seconds, *points], [plot.value(one) for one in whole])


def name_spans(plot: Plot, spans: Spans) -> dict[int, dict[str, Tally]]:
    """The spans by what their series are called in a plot."""
    named: dict[int, dict[str, Tally]] = {}
    for begin, tallies in spans.items():
        span = named[begin] = {}
        for series, tally in tallies.items():
            if name := plot.name(series):
                span.setdefault(name, Tally()).add(tally)
    return named


def add_names(spans: Mapping[int, Mapping[str, Tally]]) -> dict[str, Tally]:
    totals: dict[str, Tally] = {}
    for span in spans.values():
        for name, tally in span.items():
            totals.setdefault(name, Tally()).add(tally)
    return totals


def add_tallies(tallies: Mapping[str, Tally], names: Any) -> Tally | None:
    """Those of these names together; None where there is none of them."""
    found = [tallies[name] for name in names if name in tallies]
    whole = Tally() if found else None
    for tally in found:
        assert whole is not None
        whole.add(tally)
    return whole
