"""What was counted in all, or since a time: of rules, of sources, and the summary of `guerdon stats`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.counting.imported import VOTE
from app.database.opening import Database
from app.numbers.reading import read_ever, read_spans
from app.numbers.tallies import DAY, HOUR, Series, Tally, What

FOR_EVER = 2**62  # ms; a row may be of a time to come, where a clock was wrong


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """How often a rule has paid an event, with how many grants, and when last (ms); never: 0 and None."""

    rule: str
    payments: int
    grants: int
    last_at: int | None


@dataclass(frozen=True, slots=True)
class Given:
    """What a rule gave of a kind: how many grants, and the sum of their amounts where they have any."""

    rule: str
    kind: str
    grants: int
    payments: int
    amount: Decimal | None
    last_at: int


@dataclass(frozen=True, slots=True)
class Sent:
    """Sends of a reporter that ended with a result; latencies in ms."""

    reporter: str
    result: str
    sends: int
    mean_latency: int
    longest_latency: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted in a time: `since` is where it really began (ms), None: in all."""

    since: int | None
    votes: int
    events: dict[str, int]  # by their type
    by_source: dict[str, int]
    by_server: dict[str, int]
    given: tuple[Given, ...]  # most grants first
    sent: tuple[Sent, ...]


def read_rule_records(database: Database, rules: Iterable[str]) -> list[RuleRecord]:
    """The record of each of these rules, and after them of those that paid once and are gone."""
    found: dict[str, Tally] = {rule: Tally() for rule in rules}
    for series, tally in read_ever(database, What.GRANTS).items():
        found.setdefault(series.rule, Tally()).add(tally)
    return [
        RuleRecord(rule, tally.total, tally.number, tally.last_at or None)
        for rule, tally in found.items()
    ]


def read_last_settled(database: Database) -> dict[str, int]:
    """When an event of each source was settled last (ms)."""
    found: dict[str, int] = {}
    for series, tally in read_ever(database, What.EVENTS).items():
        found[series.source] = max(found.get(series.source, 0), tally.last_at)
    return found


def read_totals(database: Database, since: int | None) -> Totals:
    """What was counted since a time (ms), or in all: since the beginning of that hour."""
    begin = None if since is None else since - since % HOUR

    def read(what: What) -> dict[Series, Tally]:
        if begin is None:
            return read_ever(database, what)
        return add_spans(database, what, begin)

    events = read(What.EVENTS)
    return Totals(
        begin,
        sum(tally.number for series, tally in events.items() if series.type == VOTE),
        count_by(events, lambda one: one.type),
        count_by(events, lambda one: one.source),
        count_by(events, lambda one: one.server_id),
        tuple(list_given(read(What.GRANTS))),
        tuple(list_sent(read(What.SENDS))),
    )


def add_spans(database: Database, what: What, begin: int) -> dict[Series, Tally]:
    """All that was counted since then: by whole days, but for the hours before the first of them."""
    midnight = begin + -begin % DAY
    parts = ((begin, midnight, HOUR), (midnight, FOR_EVER, DAY))
    whole: dict[Series, Tally] = {}
    for first, last, step in parts:
        spans = read_spans(database, what, first, last, step) if first < last else {}
        for span in spans.values():
            for series, tally in span.items():
                whole.setdefault(series, Tally()).add(tally)
    return whole


def count_by(events: dict[Series, Tally], name: Callable[[Series], str]) -> dict[str, int]:
    """How many there are of each, most first."""
    numbers: dict[str, int] = {}
    for series, tally in events.items():
        numbers[name(series)] = numbers.get(name(series), 0) + tally.number
    return dict(sorted(numbers.items(), key=lambda one: (-one[1], one[0])))


def list_given(grants: dict[Series, Tally]) -> Iterable[Given]:
    whole = add_by(grants, lambda one: (one.rule, one.kind))
    for (rule, kind), tally in sorted(whole.items(), key=lambda one: (-one[1].number, one[0])):
        yield Given(rule, kind, tally.number, tally.total, tally.amount, tally.last_at)


def list_sent(sends: dict[Series, Tally]) -> Iterable[Sent]:
    whole = add_by(sends, lambda one: (one.reporter, one.result))
    for (reporter, result), tally in sorted(whole.items()):
        mean = tally.total // tally.number if tally.number else 0
        yield Sent(reporter, result, tally.number, mean, tally.longest)


def add_by(
    tallies: dict[Series, Tally], name: Callable[[Series], tuple[str, str]]
) -> dict[tuple[str, str], Tally]:
    whole: dict[tuple[str, str], Tally] = {}
    for series, tally in tallies.items():
        whole.setdefault(name(series), Tally()).add(tally)
    return whole
