"""Reads a file of old totals, as CSV: the whole of it is checked, and every fault told with its place."""

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.config.checking import suggest
from app.counting.imported import Totals
from app.porch.errors import GuerdonError
from app.porch.text import is_unicode, shorten
from app.rules.calendar import EPOCH, Calendar

NEEDED = ("nickname", "votes")
COLUMNS = (*NEEDED, "streak", "last_vote")
MOST_VOTES = 1_000_000_000
LONGEST_STREAK = 3660  # days
EARLIEST = date(1990, 1, 1)
MOST_LINES = 1_000_000
LONGEST_LINE = 10_000  # bytes
BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One player of the file, and the line where he stands."""

    line: int
    nickname: str
    totals: Totals


class Fault(NamedTuple):
    """What is wrong in the file, and what to do; `column` "" where it is the whole line."""

    line: int
    column: str
    what: str

    def describe(self, path: Path) -> str:
        """The fault with its place, as a sentence."""
        return ": ".join(filter(None, [str(path), f"line {self.line}", self.column, self.what]))


class BadCell(GuerdonError):
    """A cell that holds none of what its column takes."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column


def read_totals_file(path: Path, calendar: Calendar, now: int) -> tuple[list[Row], list[Fault]]:
    """The rows of a file that are well, and all of its faults. `now` in ms since the epoch.

    Raises GuerdonError where it cannot be read at all.
    """
    rows: list[Row] = []
    faults: list[Fault] = []
    try:
        with path.open("rb") as file:
            for one in read_lines(file, calendar, calendar.find_day(now)):
                (rows if isinstance(one, Row) else faults).append(one)  # type: ignore[arg-type]
    except OSError as error:
        raise GuerdonError(f"{path}: cannot be read: {error.strerror}") from None
    return rows, faults


def read_lines(file: BinaryIO, calendar: Calendar, today: date) -> Iterator[Row | Fault]:
    """Each line below the header, read; or what is wrong with it. It ends where nothing can be read on."""
    reader = csv.reader(decode_lines(file), strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        if faults := list(check_header(header)):
            yield from faults
            return
        line = reader.line_num + 1
        while (cells := next(reader, None)) is not None:
            if line > MOST_LINES:
                yield Fault(line, "", f"is beyond {MOST_LINES:,} lines: cut the file in two")
                return
            if any(cell.strip() for cell in cells):
                yield read_row(line, header, cells, calendar, today)
            line = reader.line_num + 1
    except csv.Error as error:
        yield Fault(line, "", f"is no CSV: {error}: save the file as CSV")


def decode_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of the file; what is no UTF-8 in them becomes surrogates, which no cell may hold."""
    start = BOM
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise csv.Error(f"it has more than {LONGEST_LINE:,} bytes")
        yield line.removeprefix(start).decode("utf-8", "surrogateescape")
        start = b""


def check_header(header: list[str]) -> Iterator[Fault]:
    """What is wrong with the names of the columns."""
    known = f"the columns are {', '.join(COLUMNS)}, with commas between them"
    for place, name in enumerate(header):
        if name not in COLUMNS:
            hint = suggest(name, COLUMNS)
            shown = shorten(name)
            yield Fault(1, shown, f"is no column: take it out, or rename it; {known}{hint}")
        elif name in header[:place]:
            yield Fault(1, name, "stands there twice: take one out")
    for name in NEEDED:
        if name not in header:
            yield Fault(1, name, f"this column is missing: add it; {known}")


def read_row(
    line: int, header: list[str], cells: list[str], calendar: Calendar, today: date
) -> Row | Fault:
    if len(cells) != len(header):
        what = f"has {len(cells)} cells, and the header {len(header)}: give each column one"
        return Fault(line, "", what)
    said = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    try:
        for name, cell in said.items():
            if not is_unicode(cell):
                raise BadCell(name, "is no UTF-8: save the file as UTF-8")
        return Row(line, read_nickname(said), read_cells(said, calendar, today))
    except BadCell as bad:
        return Fault(line, bad.column, str(bad))


def read_nickname(said: dict[str, str]) -> str:
    if not said["nickname"]:
        raise BadCell("nickname", "is empty: say whose line it is, or take the line out")
    return said["nickname"]


def read_cells(said: dict[str, str], calendar: Calendar, today: date) -> Totals:
    """A player's totals. Raises BadCell."""
    votes = read_number("votes", said["votes"], MOST_VOTES)
    streak = read_number("streak", said.get("streak") or "0", LONGEST_STREAK)
    last_vote = said.get("last_vote", "")
    last_day = read_day(last_vote, calendar, today) if last_vote else None
    if not streak:
        return Totals(votes)
    if streak > votes:
        raise BadCell("streak", f"is {streak} days with {votes} votes: each day needs one")
    if last_day is None:
        raise BadCell("last_vote", f"is missing: say on which day the streak of {streak} ended")
    return Totals(votes, streak, last_day)


def read_number(column: str, cell: str, most: int) -> int:
    is_number = cell.isascii() and cell.isdigit() and len(cell) <= len(str(most))
    if not is_number or int(cell) > most:
        raise BadCell(column, f"is {shorten(cell)}: write a whole number from 0 to {most}")
    return int(cell)


def read_day(cell: str, calendar: Calendar, today: date) -> date:
    """The day of a date, or of a time; one without an offset is what the wall clock of [calendar] shows."""
    try:
        day = find_day(cell, calendar)
    except (ValueError, OverflowError):
        raise BadCell(
            "last_vote", f"is {shorten(cell)}: write 2026-11-20, or 2026-11-20T18:00:00Z"
        ) from None
    if day > today:
        raise BadCell("last_vote", f"is {day}, and today is {today}: it cannot be in the future")
    if day < EARLIEST:
        raise BadCell("last_vote", f"is {day}: write a day since {EARLIEST}")
    return day


def find_day(cell: str, calendar: Calendar) -> date:
    """Raises ValueError or OverflowError for what is neither a date nor a time."""
    if len(cell) <= len("2026-11-20"):
        day = date.fromisoformat(cell)
        if day.isoformat() != cell:
            raise ValueError(cell)
        return day
    clock = datetime.fromisoformat(cell)
    moment = clock if clock.tzinfo else clock.replace(tzinfo=calendar.zone)
    return calendar.find_day((moment - EPOCH) // timedelta(milliseconds=1))
