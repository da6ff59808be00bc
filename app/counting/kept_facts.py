"""What stays of an old event's data: the facts that rules ask for; and what no later rule can count.

A counter follows from the ledger, also one that a rule of tomorrow wants. So it is kept in mind up to
when data are gone, and which facts of each type stayed: a rule that asks for another is refused, rather
than counted or paid wrongly.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.counting.marks import read_mark, set_mark
from app.counting.occasions import SOURCE
from app.database.opening import Database
from app.porch.json import dump_json
from app.rules.calendar import EARLY
from app.rules.rule import Rule, Rules

KEPT = "facts kept of old events"
SITE = "site"  # where a vote was cast, which is counted too
SCALARS = (str, int, float)


def list_asked_facts(rules: Rules) -> dict[str, set[str]]:
    """The facts that rules ask of each type of event."""
    return {
        type: {SITE, *(fact for rule in some for fact in rule.where)}
        for type, some in rules.by_type.items()
    }


def reduce_data(source: str, type: str, data: str, asked: Mapping[str, set[str]]) -> str:
    """The data of a settled event (JSON) without what no rule asks for; our own events keep theirs."""
    if source == SOURCE:
        return data
    said = json.loads(data)
    facts = asked.get(type, {SITE})
    known = said if isinstance(said, dict) else {}
    return dump_json(
        {
            fact: value
            for fact, value in known.items()
            if fact in facts and isinstance(value, SCALARS)
        }
    )


def note_stripped(
    database: Database, types: Mapping[str, int], asked: Mapping[str, set[str]]
) -> None:
    """Inside: data of events of these types are gone up to these times (ms), but for what is asked."""
    known = read_kept_facts(database)
    for type, until in types.items():
        facts = asked.get(type, {SITE})
        before = known.get(type)
        both = facts & set(before["facts"]) if before else facts
        latest = max(until, before["until"]) if before else until
        known[type] = {"until": latest, "facts": sorted(both)}
    set_mark(database, KEPT, json.dumps(known))


def read_kept_facts(database: Database) -> dict[str, Any]:
    """For each type of which data are gone: up to when (ms, `until`), and which `facts` stayed."""
    known: dict[str, Any] = json.loads(read_mark(database, KEPT) or "{}")
    return known


def list_lost_facts(database: Database, rules: Rules, counted_only: bool = True) -> Iterator[str]:
    """A sentence for each rule that needs facts of old events which are gone.

    `counted_only`: only those that count; others need the past where they are tried, or it is paid.
    """
    known = read_kept_facts(database)
    for rule in rules.all:
        if (kept := known.get(rule.on)) and (not counted_only or is_counting(rule)):
            missing = sorted(set(rule.where) - set(kept["facts"]))
            if missing and not begins_later(rule, rules, kept["until"]):
                yield (
                    f'the rule "{rule.name}" asks for {", ".join(missing)} of {rule.on}, and that is gone of'
                    f" events settled up to {say_day(kept['until'])} ([retention] data): have it begin later,"
                    f" as when = {{ from = {say_next_day(kept['until'])} }}"
                )


def is_counting(rule: Rule) -> bool:
    return bool(rule.count or rule.streak or rule.ranking or rule.party)


def begins_later(rule: Rule, rules: Rules, until: int) -> bool:
    """Whether a rule holds for no event that was settled by then (ms)."""
    first = rule.when.first if rule.when else None
    return first is not None and first > rules.calendar.find_day(until + EARLY)


def say_day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d}"


def say_next_day(moment: int) -> str:
    return say_day(moment + 2 * 86_400_000)  # whatever the studio's clock: by then it is over
