"""What is asked of the numbers, and what it costs: the reading functions, and counting an old ledger."""

import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any

from app.numbers.open_counts import count_open
from app.numbers.plots import PlotName, read_series
from app.numbers.records import read_last_settled, read_rule_records, read_totals
from app.numbers.rolling import Roller
from app.numbers.tallies import DAY, HOUR
from bench.guerdon import Guerdon
from bench.years import RULES

WINDOWS = {"24 h": (DAY, HOUR), "30 days": (30 * DAY, DAY), "a year": (365 * DAY, DAY)}
Taken = tuple[float, float]  # ms: the median and the most


def count_ledger(side: Guerdon) -> Iterator[tuple[str, Taken]]:
    """Count all by the hour, as the dispatcher does; the whole time, and the longest single look."""
    roller = Roller(side.inside.database, side.inside.now)
    began, looks = time.monotonic(), []
    while not looks or roller._next_look == 0:
        look = time.monotonic()
        roller.roll()
        looks.append((time.monotonic() - look) * 1000)
    yield "counting all; a look", ((time.monotonic() - began) * 1000, max(looks))


def ask_all(side: Guerdon, rounds: int) -> Iterator[tuple[str, Taken]]:
    for question, ask in list_questions(side).items():
        yield question, time_rounds(side, ask, rounds)


def list_questions(side: Guerdon) -> Mapping[str, Callable[[], Any]]:
    """Everything that a page asks of the numbers."""
    database, now = side.inside.database, side.inside.now()
    rules = [f"rule {number}" for number in range(RULES + 1)]
    questions: dict[str, Callable[[], Any]] = {
        "count_open": lambda: count_open(database),
        "read_last_settled": lambda: read_last_settled(database),
        "read_rule_records": lambda: read_rule_records(database, rules),
        "read_totals, ever": lambda: read_totals(database, None),
        "read_totals, 24 h": lambda: read_totals(database, now - DAY),
        "read_totals, 400 days": lambda: read_totals(database, now - 400 * DAY),
    }
    for name in PlotName:
        for window, (length, step) in WINDOWS.items():
            questions[f"{name}, {window}"] = make_plot(database, name, now - length, now, step)
    return questions


def make_plot(database: Any, name: str, since: int, until: int, step: int) -> Callable[[], Any]:
    return lambda: read_series(database, name, since, until, step)


def time_rounds(side: Guerdon, ask: Callable[[], Any], rounds: int) -> Taken:
    """The median and the most, in ms, of a whole question: the database's time and ours."""
    taken = []
    for _ in range(rounds):
        began = time.monotonic()
        with side.inside.database.limit_time(60):
            ask()
        taken.append((time.monotonic() - began) * 1000)
    return median(taken), max(taken)
