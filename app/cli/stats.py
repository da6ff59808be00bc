"""guerdon stats: how much of what was settled, given and sent, and what waits now."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from app.cli.context import count, open_configured
from app.cli.reports import MOMENT, count_ms
from app.guerdon import Guerdon
from app.numbers.open_counts import Open, OpenCount, count_open
from app.numbers.records import (
    Given,
    RuleRecord,
    Totals,
    read_last_settled,
    read_rule_records,
    read_totals,
)
from app.porch.text import format_time, shorten
from app.terminal import tell

PATIENCE = 10.0  # seconds


@click.command()
@click.option("--since", type=MOMENT, help="only what was counted from this hour on, UTC")
@click.option("--json", "as_json", is_flag=True, help="as one JSON object")
def stats(since: datetime | None, as_json: bool) -> None:
    """Count votes, events, grants with their sums, and sends; say what waits, and since when.

    Events are counted when they are settled, grants when they are given, sends when they begin. What waits
    is counted now, and when each source and rule was last heard of goes by all that ever was.
    """
    guerdon = open_configured()
    database = guerdon.database
    with database.limit_time(PATIENCE):
        totals = read_totals(database, count_ms(since))
        waits = count_open(database)
        rules = read_rule_records(database, [rule.name for rule in guerdon.rules.all])
        last = read_last_settled(database)
    if as_json:
        tell(json.dumps(describe_all(totals, waits, rules, last)))
        return
    tell(*write_totals(totals), *write_waits(waits), *write_records(guerdon, rules, last))


def describe_all(
    totals: Totals, waits: Open, rules: list[RuleRecord], last: Mapping[str, int]
) -> dict[str, Any]:
    """All of it as JSON; times are ISO 8601, sums are decimals as text."""
    said = asdict(totals) | {"since": format_time(totals.since)}
    for one in said["given"]:
        one["amount"] = None if one["amount"] is None else f"{one['amount']:f}"
        one["last_at"] = format_time(one["last_at"])
    open_rows = {box: [asdict(one) | {"oldest": format_time(one.oldest)} for one in getattr(waits, box)]
                 for box in ("inbox", "reports", "claims")}  # fmt: skip
    records = [asdict(one) | {"last_at": format_time(one.last_at)} for one in rules]
    settled = {source: format_time(at) for source, at in last.items()}
    return said | {"open": open_rows, "rules": records, "last_settled": settled}


def write_totals(totals: Totals) -> Iterator[str]:
    yield f"since {format_time(totals.since)}" if totals.since is not None else "in all"
    yield f"  {count(totals.votes, 'vote')}; {count(sum(totals.events.values()), 'event')} settled"
    for title, numbers in (("type", totals.events), ("source", totals.by_source),
                           ("server", totals.by_server)):  # fmt: skip
        if numbers:
            told = ", ".join(f"{shorten(name)} {number:,}" for name, number in numbers.items())
            yield f"  events by {title}: {told}"
    yield from map(write_given, totals.given)
    for sent in totals.sent:
        times = f"{sent.mean_latency} ms on average, {sent.longest_latency} ms at most"
        yield f"  {sent.reporter}: {count(sent.sends, 'send')} {sent.result}, {times}"


def write_given(one: Given) -> str:
    whole = f", {one.amount:,f} in all" if one.amount is not None else ""
    return f"  rule {shorten(one.rule)} gave {one.kind}: {count(one.grants, 'grant')}{whole}"


def write_waits(waits: Open) -> Iterator[str]:
    yield "now"
    if not (waits.inbox or waits.reports or waits.claims):
        yield "  nothing waits, and nothing is dead"
    boxes = (
        ("event", "", waits.inbox),
        ("report", " of ", waits.reports),
        ("claim", " on server ", waits.claims),
    )
    for noun, joint, rows in boxes:
        yield from (f"  {write_open(noun, joint, one)}" for one in rows)


def write_open(noun: str, joint: str, one: OpenCount) -> str:
    whose = f"{joint}{shorten(one.of)}" if joint else ""
    return (
        f"{count(one.number, noun)}{whose} {one.state}, the oldest since {format_time(one.oldest)}"
    )


def write_records(
    guerdon: Guerdon, rules: list[RuleRecord], last: Mapping[str, int]
) -> Iterator[str]:
    named = {rule.name for rule in guerdon.rules.all}
    yield "rules, ever"
    for one in rules:
        gone = "" if one.rule in named else " (not among the rules of now)"
        if one.last_at is None:
            yield f"  {shorten(one.rule)}: never fired"
        else:
            paid = f"paid {count(one.payments, 'time')}, last at {format_time(one.last_at)}"
            yield f"  {shorten(one.rule)}: {paid}{gone}"
    if last:
        yield "last settled"
    for source, at in sorted(last.items()):
        yield f"  from {shorten(source)}: {format_time(at)}"
