"""The plots of the dashboard: which there are, what each counts in words, and over which time."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from app.numbers.plots import PlotName
from app.numbers.tallies import DAY, HOUR


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a plot goes, and how long each of its points is; in ms."""

    length: int
    step: int
    label: LazyString


WINDOWS: Mapping[str, Window] = {
    "day": Window(24 * HOUR, HOUR, _l("24 hours")),
    "month": Window(30 * DAY, DAY, _l("30 days")),
    "year": Window(365 * DAY, DAY, _l("a year")),
}

COUNTED, MEAN, MOST = "counted", "mean", "most"  # what a plot's numbers come to in the whole time


@dataclass(frozen=True, slots=True)
class PlotWords:
    """A plot's title, what it counts, and of which kind its whole is."""

    name: PlotName
    title: LazyString
    counts: LazyString
    whole: str = COUNTED

    @property
    def slug(self) -> str:
        """Its name in an address."""
        return self.name.replace(" ", "-")


GROUPS: Mapping[str, tuple[LazyString, tuple[PlotWords, ...]]] = {
    "votes": (_l("Votes"), (
        PlotWords(
            PlotName.VOTES_BY_SOURCE, _l("Votes by source"),
            _l("Votes that were settled, each once, whether they earned something or not; by source."),
        ),
        PlotWords(
            PlotName.VOTES_BY_SERVER, _l("Votes by server"),
            _l("The same votes, by the server that they were for."),
        ),
        PlotWords(
            PlotName.EVENTS_BY_TYPE, _l("Events by type"),
            _l("All events that were settled: votes, levels, rounds and whatever else came."),
        ),
    )),
    "grants": (_l("Grants"), (
        PlotWords(
            PlotName.GRANTS_BY_RULE, _l("Grants by rule"),
            _l("Rewards that were given, each counted as one; an event may earn several."),
        ),
        PlotWords(
            PlotName.GRANTS_BY_KIND, _l("Grants by kind"),
            _l("The same grants, by the kind of their reward."),
        ),
        PlotWords(
            PlotName.SUMS_BY_RULE, _l("Sums by rule"),
            _l("How much was given: the sum of what rewards call amount, quantity or days."),
        ),
        PlotWords(
            PlotName.SUMS_BY_KIND, _l("Sums by kind"), _l("The same sums, by kind alone."),
        ),
    )),
    "sends": (_l("Sends"), (
        PlotWords(
            PlotName.SENDS_BY_REPORTER, _l("Sends by reporter"),
            _l("Each time that a report was sent: one that was sent three times counts thrice."),
        ),
        PlotWords(
            PlotName.SENDS_BY_RESULT, _l("Sends by result"),
            _l("The same sends, by what came of them."),
        ),
        PlotWords(
            PlotName.LATENCY, _l("Latency"),
            _l("Seconds from the beginning of a send until its answer, on average."), MEAN,
        ),
        PlotWords(
            PlotName.LONGEST_LATENCY, _l("Longest latency"),
            _l("The same seconds, of the send that took longest."), MOST,
        ),
    )),
    "waiting": (_l("Waiting"), (
        PlotWords(
            PlotName.INBOX_AGE, _l("Age of the inbox"),
            _l("Seconds that the oldest event has waited: the most of each hour or day."),
            MOST,
        ),
        PlotWords(
            PlotName.INBOX_WAITING, _l("Events that wait"),
            _l("How many events waited at once: the most of each hour or day."), MOST,
        ),
        PlotWords(
            PlotName.ATTEMPTS, _l("Attempts"),
            _l("Deliveries of, and tries at, events that could not be settled at once; by what was done."),
        ),
        PlotWords(
            PlotName.REPORTS_AGE, _l("Age of reports"),
            _l("Seconds that the oldest report of each has waited: the most of each hour or day."), MOST,
        ),
        PlotWords(
            PlotName.REPORTS_WAITING, _l("Reports that wait"),
            _l("How many reports of a reporter waited at once: the most of each hour or day."), MOST,
        ),
    )),
}  # fmt: skip
PLOTS = {one.slug: one for _, plots in GROUPS.values() for one in plots}
