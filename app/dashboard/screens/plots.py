"""Plots: votes, grants, sends and what waits, by the hour or the day; and their numbers as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.frame import get_guerdon, look
from app.dashboard.plot_words import GROUPS, PLOTS, WINDOWS, PlotWords, Window
from app.database.patience import TookTooLong
from app.numbers.plots import OTHERS, PlotName, Points, read_plots
from app.porch.text import escape_text

LONGEST_NAME = 80  # characters


@dataclass(frozen=True)
class Sums:
    """A plot in numbers: of each series its name, the whole, the most and the last of its points."""

    words: PlotWords
    address: str
    rows: Sequence[tuple[Any, ...]]
    took_too_long: bool


@look("/plots")
def show_plots() -> Any:
    """The plots of one ?group=, over a ?window=."""
    group, window = request.args.get("group", "votes"), read_window()
    if group not in GROUPS:
        abort(404)
    plots = sum_up(GROUPS[group][1], window)
    return render_template(
        "plots.html", group=group, groups=GROUPS, plots=plots, windows=WINDOWS, window=window,
        by_day=WINDOWS[window].step == WINDOWS["year"].step,
    )  # fmt: skip


@look("/plots/<name>.json")
def show_series(name: str) -> Any:
    """The points of one plot over a ?window=: times in seconds, and values or null for each."""
    window = read_window()
    if name not in PLOTS:
        abort(404)
    points = read_points([PLOTS[name]], WINDOWS[window])[PLOTS[name].name]
    times, *columns = points.points
    series = [
        {"name": name_series(one), "values": values}
        for one, values in zip(points.names, columns, strict=True)
    ]
    return jsonify(times=times, series=series, step=WINDOWS[window].step // 1000)


def read_window() -> str:
    window = request.args.get("window", "day")
    if window not in WINDOWS:
        abort(404)
    return window


def read_points(plots: Sequence[PlotWords], window: Window) -> dict[PlotName, Points]:
    """Until now; the last point is of an hour, or a day, that is not over."""
    guerdon = get_guerdon()
    now = guerdon.now()
    names = [one.name for one in plots]
    with guerdon.database.limit_time():
        return read_plots(guerdon.database, names, now - window.length, now + 1, window.step)


def sum_up(plots: Sequence[PlotWords], window: str) -> list[Sums]:
    """What plots show, for who sees no picture; where the database is too slow, nothing."""
    try:
        points = read_points(plots, WINDOWS[window])
    except TookTooLong:
        points = {}
    addresses = [url_for("screens.show_series", name=one.slug, window=window) for one in plots]
    return [
        Sums(words, address, list_sums(points[words.name]) if points else (), not points)
        for words, address in zip(plots, addresses, strict=True)
    ]


def list_sums(points: Points) -> list[tuple[Any, ...]]:
    """Of each series its name, the whole, the most and the last."""
    return [
        (
            name_series(name),
            *(shorten(one, points.unit) for one in (whole, find_most(values), values[-1])),
        )
        for name, whole, values in zip(points.names, points.totals, points.points[1:], strict=True)
    ]


def find_most(values: Sequence[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


def shorten(value: float | None, unit: str) -> float | None:
    """Without a fraction that is none, or that nobody reads, as of many seconds."""
    if value is None:
        return None
    is_whole = value == int(value) or (unit == "seconds" and abs(value) >= 100)
    return round(value) if is_whole else round(value, 3)


def name_series(name: str) -> str:
    """A name fit to be read, in a plot as in its table."""
    if name in (OTHERS, "(none)"):
        return str({OTHERS: _("all others"), "(none)": _("(none)")}[name])
    text = escape_text(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
