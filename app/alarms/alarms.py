"""Looks every half a minute whether something is wrong, on one host at a time, and has it told."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog
from peewee import PeeweeException

from app.alarms.circumstances import Circumstances
from app.alarms.conditions import CONDITIONS, Condition, Found
from app.alarms.keeping import RECOVERED, Keeping, News
from app.alarms.remembering import Memory
from app.config.watching import Alerts
from app.database.clock import make_clock
from app.database.duties import take_duty
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.errors import DatabaseUnavailable
from app.porch.types import Report
from app.reporting.queue import find_fault, insert_reports
from app.watching.watch import Watch

log = structlog.get_logger()

EVERY = 30_000  # ms
DUTY, DUTY_LENGTH = "alarms", 3 * EVERY
NO_EVENT = 0  # of a report that is of no event


class Alarms:
    """The alarms of a Guerdon; without [alerts] reporter they are in the log, and in list_alarms."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        watch: Watch,
        alerts: Alerts,
        now: Callable[[], int],
        conditions: Sequence[Condition] = CONDITIONS,
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._watch = watch
        self._alerts = alerts
        self._now = make_clock(now)
        self._conditions = conditions
        self._holder = secrets.token_hex(16)
        self._memory = Memory()
        self._keeping = Keeping(self._choose_reporter, int(alerts.repeat * 1000))
        self._next = 0  # by the ticks

    def look(self) -> int:
        """Look, where it is time to and nobody else does; how many reports that gave."""
        ticks = self._now.ticks()
        if ticks < self._next:
            return 0
        self._next = ticks + EVERY
        if not take_duty(self._database, DUTY, self._holder, self._now(), DUTY_LENGTH):
            return 0
        return self.judge()

    def judge(self) -> int:
        """Judge every condition now, and queue what is to be told; how many reports that is."""
        sight = self._watch.look()
        if not sight.is_whole:
            return 0
        self._memory.note(self._now.ticks(), self._watch.read_counted())
        seen = Circumstances(sight, self._memory, self._alerts, self._database, self._now())
        found = [(one, self._find(one, seen)) for one in self._conditions]
        news = self._database.transact(lambda is_retry: self._keep(found, seen.now))
        for one in news:
            tell(one)
        return sum(bool(one.reporter) for one in news)

    def _find(self, condition: Condition, seen: Circumstances) -> Found:
        """What is found; a condition that fails says nothing, and the others do."""
        try:
            return condition.find(seen)
        except (PeeweeException, DatabaseUnavailable):
            raise
        except Exception as error:
            log.error("an alarm's condition failed", name=condition.name, exc_info=error)
            return None

    def _keep(self, found: Sequence[tuple[Condition, Found]], now: int) -> list[News]:
        """Inside: what is kept of alarms, and the reports of it, are one commit."""
        news = [
            one
            for condition, about in found
            for one in self._keeping.bring_up_to_date(condition, about, now)
        ]
        reports = [self._build_report(one, now) for one in news if one.reporter]
        pairs = [(NO_EVENT, report) for report in reports if report is not None]
        insert_reports(self._database, pairs, now, look_first=True)
        return news

    def _build_report(self, news: News, now: int) -> Report | None:
        """The reporter's words, under our key; None, and a line in the log, where it has none."""
        alert, name = news.alert, news.reporter
        facts = {"alert": alert, "settings": self._plugins.settings, "now": now}
        try:
            report = self._plugins.only("build_alert", name)(**facts)
        except Exception as error:
            log.error("build_alert failed", reporter=name, exc_info=error)
            return None
        if isinstance(report, Report):
            report = replace(report, reporter=name, kind=alert.kind, key=alert.key)
        if fault := find_fault(report):
            log.error("build_alert failed", reporter=name, reason=fault)
            return None
        return report if isinstance(report, Report) else None

    def _choose_reporter(self, condition: Condition, about: str) -> str:
        """Who tells it: never the one that it complains about. "": nobody but the log."""
        if condition.is_of_plugin and about == self._alerts.reporter:
            return self._alerts.second
        return self._alerts.reporter


def tell(news: News) -> None:
    alert = news.alert
    told = log.bind(alarm=alert.name, about=alert.about, told_by=news.reporter or "the log alone")
    if alert.kind == RECOVERED:
        told.info("recovered", summary=alert.summary)
    else:
        told.error("alarm", summary=alert.summary)
