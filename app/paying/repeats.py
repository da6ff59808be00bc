"""Event.not_within: a second event of one source, site, type, server and player that comes too soon.

It is decided in the player's turn, which makes two payments for one player wait for each other, also on a
cluster; and each event that is paid leaves its time, so that late ones are compared with all there were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.database.keys import hash_parts
from app.database.opening import Database
from app.database.statements import insert_sql
from app.paying.payments import Line, Payment
from app.porch.types import Event, Outcome, OutcomeState

SECOND = 1000  # ms
AT_ONCE = 200  # events asked for in one statement
SAME_TIME = "another event of the same player is being paid"


def make_recent_key(event: Event, player: str) -> bytes:
    """32 bytes that stand for what may not come again too soon; `player` is his key.

    The fact `site` tells apart the sites that one source serves.
    """
    site = str(event.data.get("site", ""))
    return hash_parts(event.source, site, event.type, event.server_id, player)


def mark_repeats(database: Database, payments: Sequence[Payment]) -> None:
    """Inside, in the turns of their players: have what comes too soon earn nothing, and say so.

    Two of one batch are not compared with each other, for the first may still fail: the second waits.
    """
    lines = [
        (payment, line)
        for payment in payments
        for line in payment.lines
        if payment.outcome is None and line.event.not_within and line.player is not None
    ]
    if not lines:
        return
    for _, line in lines:
        assert line.player is not None
        line.recent_key = make_recent_key(line.event, line.player.key)
    for start in range(0, len(lines), AT_ONCE):
        some = lines[start : start + AT_ONCE]
        earlier = find_earlier(database, [line for _, line in some])
        for _, line in some:
            if id(line) in earlier:
                repeat(line, earlier[id(line)])
    hold_apart(lines)


def find_earlier(database: Database, lines: Sequence[Line]) -> dict[int, int]:
    """For those lines that come too soon, by their identity, the time (ms) of the event before."""
    mark = database.param
    between = f"recent_key = {mark} AND at > {mark} AND at < {mark}"
    one = f"SELECT {mark}, MIN(at) FROM guerdon_recent WHERE {between} HAVING MIN(at) IS NOT NULL"
    sql = " UNION ALL ".join([one] * len(lines))
    params: list[object] = []
    for place, line in enumerate(lines):
        window = line.event.not_within * SECOND
        params += [place, line.recent_key, line.moment - window, line.moment + window]
    rows = database.execute_sql(sql, params).fetchall()
    return {id(lines[int(place)]): int(at) for place, at in rows}


def hold_apart(lines: Sequence[tuple[Payment, Line]]) -> None:
    """Of payments in this batch that could be repeats of each other, let the first be paid alone."""
    before: dict[bytes, list[tuple[Payment, Line]]] = {}
    for payment, line in lines:
        if payment.outcome is not None or line.repeats is not None:
            continue
        others = before.setdefault(line.recent_key, [])
        window = line.event.not_within * SECOND
        rival = next((one for one in others if abs(one[1].moment - line.moment) < window), None)
        if rival is None:
            others.append((payment, line))
        elif rival[0] is payment:  # they are paid together or not at all
            repeat(line, rival[1].moment)
        else:
            payment.outcome = Outcome(OutcomeState.WAITING, SAME_TIME, 1.0)


def repeat(line: Line, first_at: int) -> None:
    """Have a line earn nothing: another was at `first_at` (ms)."""
    line.repeats = first_at
    line.event = replace(line.event, earns=False)
    line.gifts = []


def write_repeats(database: Database, lines: Sequence[Line], ids: Mapping[bytes, int]) -> None:
    """Inside: the times of events that may not be repeated, and which events were; `ids`: their rows."""
    recent = dict.fromkeys(
        (line.recent_key, line.moment) for line in lines if line.recent_key and line.repeats is None
    )
    repeated = [(ids[line.key], line.repeats) for line in lines if line.repeats is not None]
    for table, columns, rows in (
        ("guerdon_recent", ("recent_key", "at"), list(recent)),
        ("guerdon_repeats", ("event", "first_at"), repeated),
    ):
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            sql = insert_sql(table, columns, len(some), database.param)
            database.execute_sql(sql, [value for row in some for value in row])
