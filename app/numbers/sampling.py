"""Samples of what waits: how much, and for how long; no table remembers it."""

from collections.abc import Iterator, Mapping
from functools import partial

from app.database.opening import Database
from app.database.states import ON_THEIR_WAY
from app.numbers.books import Overtaken, add_for_ever, begin_walk, read_state
from app.numbers.open_counts import Open, count_open
from app.numbers.tallies import HOUR, Series, Tally, What

EVERY = 300_000  # ms
AGE, NUMBER = "age", "number"  # what a series of samples is of
# How much there is of something, and since when (ms) the oldest waits, if any does.
Waits = tuple[int, int | None]


class Sampler:
    """Takes a sample each five minutes, on whichever host comes first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sample(self, now: int) -> None:
        """Take one (`now` in ms) of each box where it is time for it."""
        due = [what for what in (What.INBOX, What.REPORTS) if self._is_due(what, now)]
        if due:
            found = self._database.read(partial(count_open, self._database))
            for what in due:
                self._keep(what, list_waiting(what, found), now)

    def _is_due(self, what: What, now: int) -> bool:
        state = self._database.read(lambda: read_state(self._database, what))
        return not state.place - HOUR <= now < state.place + EVERY

    def _keep(self, what: What, waits: Mapping[str, Waits], now: int) -> None:
        begin_walk(self._database, what)
        state = self._database.read(lambda: read_state(self._database, what))
        samples = [one for of, (number, oldest) in waits.items()
                   for one in list_samples(what, of, number, oldest, now)]  # fmt: skip
        try:
            hour = now - now % HOUR
            add_for_ever(self._database, state, now, {(one, hour): tally for one, tally in samples})
        except Overtaken:
            return  # another host has taken it


def list_waiting(what: What, found: Open) -> dict[str, Waits]:
    """What is on its way: of the inbox as one, also where it is empty; of each reporter that has any."""
    if what == What.INBOX:
        oldest = found.find_oldest("inbox", *ON_THEIR_WAY)
        return {"": (found.count("inbox", *ON_THEIR_WAY), oldest)}
    waits: dict[str, Waits] = {}
    for one in found.reports:
        if one.state in ON_THEIR_WAY:
            number, oldest = waits.get(one.of, (0, None))
            times = [time for time in (oldest, one.oldest) if time is not None]
            waits[one.of] = (number + one.number, min(times, default=None))
    return waits


def list_samples(
    what: What, of: str, number: int, oldest: int | None, now: int
) -> Iterator[tuple[Series, Tally]]:
    """How many there are, and how old (ms) the oldest of them is; 0 where there is none."""
    age = max(0, now - oldest) if oldest is not None else 0
    for result, value in ((AGE, age), (NUMBER, number)):
        yield Series(what, reporter=of, result=result), Tally(1, value, value, last_at=now)
