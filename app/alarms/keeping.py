"""The alarms as they are kept: begun, fired, told, and over. Each step is one process's, by its condition."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.alarms.conditions import Condition, Found
from app.database.opening import Database
from app.database.watching_models import AlarmRow
from app.porch.types import Alert

CALM = 60_000  # ms without it after which it is over
LONGEST_SUMMARY = 500  # characters
LONGEST_ABOUT = 255
KIND, RECOVERED = "alert", "recovered"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong now; times in ms since the epoch. `told_by` "": only the log told it.

    `told_again_at` is when it is told once more if it lasts; `over_since`: it was not so at the last look.
    """

    name: str
    about: str
    summary: str
    since: int
    told_by: str
    fired_at: int | None
    told_again_at: int | None
    over_since: int | None


@dataclass(frozen=True, slots=True)
class News:
    """What somebody should be told, by which reporter; "": only the log can."""

    alert: Alert
    reporter: str


class Keeping:
    """Compares what is found with what is kept; all of it inside a transaction of the caller."""

    def __init__(self, choose_reporter: Callable[[Condition, str], str], window: int) -> None:
        """`choose_reporter` says who tells a condition of this; `window` is in ms."""
        self._choose_reporter = choose_reporter
        self._window = window

    def bring_up_to_date(self, condition: Condition, found: Found, now: int) -> Iterator[News]:
        """Inside: keep what was found of a condition, and say what is to be told."""
        if found is None:
            return
        known = {row.about: row for row in AlarmRow.select().where(AlarmRow.name == condition.name)}
        for about, summary in ((one[:LONGEST_ABOUT], text) for one, text in found.items()):
            told = summary[:LONGEST_SUMMARY]
            row = known.pop(about, None) or self._begin(condition, about, told, now)
            yield from self._go_on(condition, row, told, now)
        for row in known.values():
            yield from self._end(condition, row, now)

    def _begin(self, condition: Condition, about: str, summary: str, now: int) -> AlarmRow:
        """The database's unique error where another process just did."""
        told_by = self._choose_reporter(condition, about)
        row: AlarmRow = AlarmRow.create(
            name=condition.name, about=about, summary=summary, since=now, told_by=told_by
        )
        return row

    def _go_on(self, condition: Condition, row: AlarmRow, summary: str, now: int) -> Iterator[News]:
        changes = {"summary": summary, "over_since": None}
        if now - row.since < condition.lasts * 1000 and row.fired_at is None:
            change(row, **changes)
        elif row.told_until is None or now >= row.told_until:
            fired_at = now if row.fired_at is None else row.fired_at
            passed = (now - fired_at) // self._window
            told_by = self._choose_reporter(condition, row.about)
            until = fired_at + (passed + 1) * self._window
            if change(row, **changes, fired_at=fired_at, told_until=until, told_by=told_by):
                yield make_news(row, KIND, f"{fired_at}/{passed}", summary, told_by)
        elif row.summary != summary or row.over_since is not None:
            change(row, **changes)

    def _end(self, condition: Condition, row: AlarmRow, now: int) -> Iterator[News]:
        if row.fired_at is None:
            remove(row)
        elif row.over_since is None:
            change(row, over_since=now)
        elif now - row.over_since >= CALM and remove(row):
            told_by = self._choose_reporter(condition, row.about) if row.told_by else ""
            yield make_news(row, RECOVERED, str(row.fired_at), condition.over, told_by)


def make_news(row: AlarmRow, kind: str, turn: str, summary: str, reporter: str) -> News:
    """A key for each alarm and window: of the same one no second report is ever queued."""
    key = f"{row.name}/{turn}/{row.about}"[:LONGEST_ABOUT]
    return News(Alert(kind, key, row.name, row.about, summary, row.since), reporter)


def find_same(row: AlarmRow) -> list[object]:
    """The row, if nobody else told it since it was read."""
    until = AlarmRow.told_until
    as_read = until.is_null() if row.told_until is None else until == row.told_until
    return [AlarmRow.name == row.name, AlarmRow.about == row.about, as_read]


def change(row: AlarmRow, **changes: object) -> bool:
    """False where somebody else told it meanwhile."""
    return bool(AlarmRow.update(**changes).where(*find_same(row)).execute())


def remove(row: AlarmRow) -> bool:
    """False where somebody else told, or removed, it meanwhile."""
    return bool(AlarmRow.delete().where(*find_same(row)).execute())


def list_alarms(database: Database) -> list[Alarm]:
    """What is wrong now, the oldest first; what only begins to be is not among them."""

    def read() -> list[Alarm]:
        rows = AlarmRow.select().where(AlarmRow.fired_at.is_null(False)).order_by(AlarmRow.since)
        return [
            Alarm(row.name, row.about, row.summary, row.since, row.told_by, row.fired_at,
                  row.told_until, row.over_since)
            for row in rows
        ]  # fmt: skip

    return database.read(read)
