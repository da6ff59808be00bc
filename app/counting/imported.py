"""What another vote plugin had counted, brought here as an event of its own; pure.

It moves the one counter that counts every vote, and no rule pays for it. The imported days are counted for
streaks beside the votes of a day: a day is counted once, whichever of the two came first.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from app.counting.counters import Counter, Counters
from app.counting.occasions import SOURCE, Occasion
from app.counting.state import NO_TALLY, ChainsKey, Draft, Tally, TallyKey
from app.counting.streaks import build_chains, unite_chains
from app.porch.rounds import join_key
from app.porch.types import Event, Player
from app.rules.calendar import Calendar, Unit
from app.rules.keys import Streak
from app.rules.selecting import Selector, hash_names

VOTE = "server.vote"
EVERY_VOTE = Selector(VOTE).counter  # the name of the counter that asks nothing else
IMPORTED = hash_names("imported days")
EVER = str(Unit.EVER)  # the period


class Totals(NamedTuple):
    """A player's votes ever before, and his streak: so many days in a row, up to the last one."""

    votes: int = 0
    streak: int = 0
    last_day: date | None = None  # of the streak; None where there is none

    @property
    def days(self) -> range:
        """The days of the streak, by their numbers."""
        last = self.last_day.toordinal() if self.last_day else 0
        return range(last - self.streak + 1, last + 1)


def make_totals(totals: Totals, player: Player, moment: int) -> Event:
    """The event of an import at a moment (ms): one for each player, for ever."""
    last_day = totals.last_day.isoformat() if totals.last_day else None
    data = {"votes": totals.votes, "streak": totals.streak, "last_day": last_day}
    return Event(
        SOURCE, Occasion.TOTALS, name_totals(player.key), nickname=player.nickname,
        user_id=player.key, occurred_at=moment, data=data,
    )  # fmt: skip


def name_totals(player: str) -> str:
    """The id of the event of a player's import, by his key."""
    return join_key(player)


def read_totals(data: Mapping[str, Any]) -> Totals:
    """What the data of such an event say."""
    said = data["last_day"]
    return Totals(data["votes"], data["streak"], date.fromisoformat(said) if said else None)


def is_totals(event: Event) -> bool:
    return event.source == SOURCE and event.type == Occasion.TOTALS


def find_counter(counters: Counters) -> Counter | None:
    """The counter that an import moves, if the rules have it."""
    for counter in counters.by_type.get(VOTE, ()):
        if counter.name == EVERY_VOTE:
            return counter
    return None


def list_day_streaks(counter: Counter) -> list[tuple[str, Streak]]:
    return [one for one in counter.streaks if one[1].unit == Unit.DAY]


def place_imported(player: str) -> TallyKey:
    """Where it is kept how many days in a row were imported of a player, and when the last begins."""
    return TallyKey(IMPORTED, EVER, player)


def add_totals(counters: Counters, draft: Draft, event: Event, player: str) -> None:
    """Move the counter of every vote by an import of this player, who had none before."""
    counter, totals = find_counter(counters), read_totals(event.data)
    if counter is None or not player:
        return
    if Unit.EVER in counter.units and totals.votes:
        key = TallyKey(counter.name, EVER, player)
        before = draft.tallies.get(key, NO_TALLY)
        draft.tallies[key] = before._replace(votes=before.votes + totals.votes)
    streaks = list_day_streaks(counter)
    if streaks and totals.streak and totals.last_day:
        votes = count_day_votes(counters.calendar, draft, totals.days, player)
        for name, streak in streaks:
            add_days(draft, dict(zip(totals.days, votes, strict=True)), name, streak, player)
        begins = counters.calendar.begin_day(totals.last_day)
        draft.tallies[place_imported(player)] = Tally(totals.streak, begins)


def add_days(
    draft: Draft, votes: Mapping[int, int], name: str, streak: Streak, player: str
) -> None:
    """Have each of these days, by its number, count for a streak, unless its votes do that already."""
    key = ChainsKey(name, player)
    new = [day for day, number in votes.items() if number < streak.votes]
    chains = [*draft.chains.get(key, ()), *build_chains(new, streak.may_miss)]
    draft.chains[key] = unite_chains(chains, streak.may_miss)


def count_day_votes(calendar: Calendar, draft: Draft, days: range, player: str) -> list[int]:
    """How many votes each of these days has, by their numbers."""
    names = (calendar.name_number(Unit.DAY, number) for number in days)
    places = (TallyKey(EVERY_VOTE, name, player) for name in names)
    return [draft.tallies.get(place, NO_TALLY).votes for place in places]


def is_imported(
    calendar: Calendar, draft: Draft, counter: str, unit: Unit, player: str, moment: int
) -> bool:
    """Whether the day of a moment (ms) is counted for a player's streaks by this counter already."""
    if counter != EVERY_VOTE or unit != Unit.DAY:
        return False
    days, last_at = draft.tallies.get(place_imported(player), NO_TALLY)
    if not days:
        return False
    number, last = calendar.number_period(unit, moment), calendar.number_period(unit, last_at)
    return last - days < number <= last


def describe_totals(data: Mapping[str, Any]) -> str:
    """An import in words."""
    totals = read_totals(data)
    said = f"{totals.votes} votes of before"
    if totals.streak and totals.last_day:
        first = totals.last_day - timedelta(days=totals.streak - 1)
        said += f", and {totals.streak} days in a row from {first} to {totals.last_day}"
    return f"{said}; no rule pays for an import"
