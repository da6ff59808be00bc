"""A rule as a sentence that one can read aloud, for `guerdon check`."""

from collections.abc import Iterator, Sequence

from app.rules.calendar import WEEKDAYS, Unit
from app.rules.gifts import Gift
from app.rules.keys import Count, Counted, Marks, Party, Payees, Ranking, Streak, Ties
from app.rules.rule import Rule
from app.rules.when import When

ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def say_rule(rule: Rule) -> str:
    """The whole rule: on what, for whom, when, how often, and what it gives."""
    asked = list(list_conditions(rule))
    sentence = f'"{rule.name}": on a {rule.on}'
    if asked:
        sentence += f", {', '.join(asked)}"
    return f"{sentence}: give {say_gifts(rule)}."


def list_conditions(rule: Rule) -> Iterator[str]:
    if rule.servers is not None:
        servers = join_words(sorted(rule.servers), "or")
        yield f"on server{'s' * (len(rule.servers) > 1)} {servers}"
    if rule.sources is not None:
        yield f"by {join_words(sorted(rule.sources), 'or')}"
    asked = {**rule.where, **{f"player.{fact}": one for fact, one in rule.player_where.items()}}
    for fact, condition in asked.items():
        yield f"where {fact} {condition.describe()}"
    if rule.when:
        yield from say_when(rule.when)
    if rule.count:
        yield say_count(rule.count)
    if rule.streak:
        yield say_streak(rule.streak)
    if rule.party:
        yield say_party(rule.party)
    if rule.ranking:
        yield say_ranking(rule.ranking)
    for limit in rule.limits:
        yield f"at most {limit.text} {'for all' if limit.for_all else 'for a player'}"


def say_when(when: When) -> Iterator[str]:
    if when.first or when.last:
        begin = f"from {when.first}" if when.first else ""
        yield " ".join(filter(None, [begin, f"until {when.last}" if when.last else ""]))
    if when.days:
        yield f"on {join_words([WEEKDAYS[day].capitalize() for day in when.days], 'and')}"
    if when.hours:
        yield "from {:%H:%M} to {:%H:%M}".format(*when.hours)


def say_marks(marks: Marks, what: str) -> str:
    """As "every 25th vote", "the 1st vote"."""
    if marks.every:
        return f"every {say_ordinal(marks.every)} {what}" if marks.every > 1 else f"every {what}"
    return f"the {join_words([say_ordinal(mark) for mark in marks.at], 'and')} {what}"


def say_within(unit: Unit, begin: str = "of") -> str:
    return {Unit.EVER: "ever", Unit.SEASON: f"{begin} the season"}.get(unit, f"{begin} the {unit}")


def say_count(count: Count) -> str:
    if count.of == Counted.SITES:
        return f"{say_marks(count.marks, 'different site')} {say_within(count.unit)} of a player"
    return f"{say_marks(count.marks, 'one')} {say_within(count.unit)} of a player"


def say_streak(streak: Streak) -> str:
    said = f"{say_marks(streak.marks, f'{streak.unit} in a row')} of a player"
    if streak.votes > 1:
        said += f", each with {streak.votes} of them"
    if streak.may_miss:
        several = "s" * (streak.may_miss > 1)
        said += f", {streak.may_miss} {streak.unit}{several} in a row may be missed"
    return said


def say_party(party: Party) -> str:
    whom = "each who was part of it" if party.to == Payees.VOTERS else "the server"
    within = "" if party.unit == Unit.EVER else f" {say_within(party.unit)}"
    return f"when there are {party.every} of everybody{within}, for {whom}"


def say_ranking(ranking: Ranking) -> str:
    places = (
        f"place {ranking.first}"
        if ranking.first == ranking.last
        else f"places {ranking.first} to {ranking.last}"
    )
    ties = (
        "who are equal share a place" if ranking.ties == Ties.SHARE else "who was first is before"
    )
    return f"when the {ranking.unit} is over, for {places} ({ties})"


def say_gifts(rule: Rule) -> str:
    said = join_words([say_gift(gift) for gift in rule.gifts], "and")
    if rule.choice is None:
        return said
    total = sum(rule.choice.weights)
    lines = [
        f"{line.weight} of {total} {say_gift(line.gift) if line.gift else 'nothing'}"
        for line in rule.choice.lines
    ]
    drawn = f"by lot {join_words(lines, 'or')}"
    return f"{said} and {drawn}" if said else drawn


def say_gift(gift: Gift) -> str:
    params = ", ".join(
        f"{name} {value}" for name, value in gift.reward.params.items() if value is not None
    )
    return f"{gift.reward.kind} ({params})" if params else gift.reward.kind


def join_words(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def say_ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ENDINGS.get(number % 10, 'th')}"
