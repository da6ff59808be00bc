"""Which rows a batch of events may move: found before any of them is decided about."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.counting.deciding import Happened
from app.counting.imported import (
    EVER,
    EVERY_VOTE,
    find_counter,
    is_totals,
    list_day_streaks,
    place_imported,
    read_totals,
)
from app.counting.limits import place_budget, place_limit
from app.counting.programme import Programme
from app.counting.state import EVERYBODY, TallyKey, UseKey
from app.rules.calendar import Unit
from app.rules.keys import Streak


@dataclass
class Needs:
    """Keys by what is read together; the span of a streak or of moments is widened as needed."""

    tallies: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # players by period
    sites: set[tuple[str, str]] = field(default_factory=set)  # those of them that count sites
    chains: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    uses: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    moments: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def add_tally(self, key: TallyKey) -> None:
        self.tallies.setdefault((key.counter, key.period), set()).add(key.player)

    def add_chain(self, name: str, streak: Streak, player: str, number: int) -> None:
        reach = streak.may_miss + 1
        widen(self.chains.setdefault(name, {}), player, number - reach, number + reach)

    def add_use(self, key: UseKey) -> None:
        self.uses.setdefault((key.owner, key.period), set()).add(key.player)


def widen(spans: dict[str, tuple[int, int]], key: str, first: int, last: int) -> None:
    before = spans.get(key, (first, last))
    spans[key] = (min(before[0], first), max(before[1], last))


def gather_needs(programme: Programme, events: Iterable[Happened]) -> Needs:
    """All that deciding about these events may read."""
    needs = Needs()
    for happened in events:
        add_counters(programme, happened, needs)
        if is_totals(happened.event):
            add_imported(programme, happened, needs)
        add_limits(programme, happened, needs)
    return needs


def add_counters(programme: Programme, happened: Happened, needs: Needs) -> None:
    calendar = programme.rules.calendar
    for counter in programme.counters.by_type.get(happened.event.type, ()):
        if not counter.selector.does_count(happened.event, happened.moment, calendar):
            continue
        for unit in counter.units:
            place = (counter.name, calendar.name_period(unit, happened.moment))
            needs.tallies.setdefault(place, set()).add(happened.player)
            if counter.selector.by_site:
                needs.sites.add(place)
        for name, streak in counter.streaks:
            number = calendar.number_period(streak.unit, happened.moment)
            needs.add_chain(name, streak, happened.player, number)
        if counter.name == EVERY_VOTE and list_day_streaks(counter):
            needs.add_tally(place_imported(happened.player))


def add_imported(programme: Programme, happened: Happened, needs: Needs) -> None:
    """What an import moves."""
    counter, player = find_counter(programme.counters), happened.player
    if counter is None:
        return
    if Unit.EVER in counter.units:
        needs.add_tally(TallyKey(counter.name, EVER, player))
    days = read_totals(happened.event.data).days
    for name, streak in list_day_streaks(counter) if days else ():
        for number in (days[0], days[-1]):
            needs.add_chain(name, streak, player, number)
        for number in days:
            period = programme.rules.calendar.name_number(Unit.DAY, number)
            needs.add_tally(TallyKey(counter.name, period, player))


def add_limits(programme: Programme, happened: Happened, needs: Needs) -> None:
    rules, calendar = programme.rules, programme.rules.calendar
    for rule in programme.list_rules(happened.event):
        for limit in rule.limits:
            if not limit.length:
                needs.add_use(place_limit(rule, limit, calendar, happened.moment, happened.player))
                continue
            who = EVERYBODY if limit.for_all else happened.player
            spans = needs.moments.setdefault(rule.limit_owner, {})
            widen(spans, who, happened.moment - limit.length, happened.moment + limit.length)
            if limit.for_all:
                needs.add_use(place_lock(rule.limit_owner))
        for budget in rules.budgets:
            if any(reward.kind == budget.reward for reward in rule.rewards):
                needs.add_use(place_budget(budget, calendar, happened.moment))


def place_lock(owner: str) -> UseKey:
    """The row that whoever adds a moment of everybody raises."""
    return UseKey(owner, "moments", EVERYBODY)
