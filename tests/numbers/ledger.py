"""A ledger written by hand, and what it comes to, counted row by row: what the numbers must be."""

import json
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

from app.database.keys import make_event_key
from app.database.models import Attempt, Event, Report, Send
from app.database.models import Grant as GrantRow
from app.guerdon import Guerdon
from app.numbers.reading import read_ever, read_spans
from app.numbers.tallies import HOUR, Series, Tally, What

VOTE = "server.vote"
RULES = ("every vote", "lucky", "weekend")


def make_event(number: int, at: int, **changes: Any) -> dict[str, Any]:
    row = {
        "ordered_key": make_event_key("site", VOTE, f"n{number}"), "source": "site", "type": VOTE,
        "event_id": f"n{number}", "server_id": str(number % 3), "nickname": "Bob", "user_id": "",
        "occurred_at": None, "token": "", "settled_at": at, "data": "{}", "earns": True,
    }  # fmt: skip
    return row | changes


def make_grant(event: int, rule: str, at: int, **changes: Any) -> dict[str, Any]:
    row = {
        "event": event, "rule": rule, "plugin": "gold", "kind": "gold", "player_id": "1",
        "params": json.dumps({"amount": "0.10"}), "nickname": "Bob", "server_id": str(event % 3),
        "user_id": "", "receipt": json.dumps({"added": "0.10"}), "granted_at": at,
    }  # fmt: skip
    return row | changes


def write_ledger(guerdon: Guerdon, count: int, until: int, hours: int, seed: int = 7) -> None:
    """So many events of the last `hours` before `until` (ms), nearly in order, with grants and sends."""
    dice = random.Random(seed)
    first = max(
        (row.id for row in Event.select(Event.id).order_by(Event.id.desc()).limit(1)), default=0
    )
    step = hours * HOUR // count
    for number in range(first, first + count):
        at = until - hours * HOUR + (number - first) * step + dice.randrange(step * 5)
        at = min(at, until - 1)
        source = dice.choice(["gamemonitoring", "site", "site"])
        kind = VOTE if number % 7 else "level_up"
        row = Event.insert(**make_event(number, at, source=source, type=kind)).execute()
        for rule in RULES[: dice.randrange(4)]:
            grants = [make_grant(row, rule, at)]
            if rule == "lucky":
                grants.append(
                    make_grant(row, rule, at, kind="item", params='{"item": "x", "quantity": 3}')
                )
                grants.append(
                    make_grant(row, rule, at, kind="odd", params="{}", receipt='{"amount": 2.5}')
                )
            GrantRow.insert_many(grants).execute()
        if number % 4 == 0:
            write_sends(row, at, dice)
        if number % 9 == 0:
            key = make_event_key("site", VOTE, f"n{number}")
            Attempt.insert(ordered_key=key, at=at, what="delivery", detail="x").execute()


def write_sends(event: int, at: int, dice: random.Random) -> None:
    reporter = dice.choice(["sud", "g123"])
    report = Report.insert(
        report_key=make_event_key(reporter, "x", f"{event}"), reporter=reporter, kind="x", key=str(event),
        event=event, body=b"", state="delivered", due_at=at, lease_token="", lease_until=at, takes=0,
        sends=2, sends_before=0, last_error="", created_at=at, waiting_since=at,
    ).execute()  # fmt: skip
    ends: list[dict[str, Any]] = [
        {
            "ended_at": at + 30,
            "status": 500,
            "latency": dice.randrange(1, 900),
            "error": "it answered 500",
        },
        {"ended_at": at + 60, "status": 200, "latency": dice.randrange(1, 900), "error": ""},
        {"ended_at": None, "status": None, "latency": None, "error": ""},
    ]
    for number, end in enumerate(ends):
        Send.insert(report=report, number=number, begun_at=at, answer="", **end).execute()


Books = dict[tuple[int, Series], Tally]


def recount(guerdon: Guerdon) -> dict[What, Books]:
    """What the rows of the ledger come to by the hour: each looked at alone, in Python."""
    books: dict[What, Books] = {what: defaultdict(Tally) for what in What}
    for event in Event.select():
        series = Series(
            What.EVENTS, source=event.source, type=event.type, server_id=event.server_id
        )
        note(books, series, event.settled_at)
    seen = set()
    for grant in GrantRow.select().order_by(GrantRow.id):
        series = Series(What.GRANTS, rule=grant.rule, kind=grant.kind)
        amounts = {"gold": Decimal("0.10"), "item": Decimal(3), "odd": Decimal("2.5")}
        is_first = (grant.event, grant.rule) not in seen
        seen.add((grant.event, grant.rule))
        note(books, series, grant.granted_at, int(is_first), amount=amounts[grant.kind])
    reporters = {row.id: row.reporter for row in Report.select()}
    for send in Send.select():
        result = "unknown" if send.ended_at is None else "failed" if send.error else "delivered"
        series = Series(What.SENDS, reporter=reporters[send.report], result=result)
        note(books, series, send.begun_at, send.latency or 0, send.latency or 0)
    for attempt in Attempt.select():
        note(books, Series(What.ATTEMPTS, result=attempt.what), attempt.at)
    return books


def note(books: dict[What, Books], series: Series, at: int, total: int = 0, longest: int = 0,
         amount: Decimal | None = None) -> None:  # fmt: skip
    tally = Tally(1, total, longest, amount, at)
    books[What(series.what)][at - at % HOUR, series].add(tally)


def check_numbers(guerdon: Guerdon, since: int, until: int) -> None:
    """What is read, by the hour and in all, is what the ledger comes to."""
    with guerdon.database.connection_context():
        expected = recount(guerdon)
        for what in (What.EVENTS, What.GRANTS, What.SENDS, What.ATTEMPTS):
            spans = read_spans(guerdon.database, what, since, until, HOUR)
            found = {
                (begin, one): tally for begin, span in spans.items() for one, tally in span.items()
            }
            assert found == expected[what], what
            ever: dict[Series, Tally] = defaultdict(Tally)
            for (_, series), tally in expected[what].items():
                ever[series].add(tally)
            assert read_ever(guerdon.database, what) == ever, what
