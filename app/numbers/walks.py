"""The tables that are counted by walking their ids, and how a stretch of them is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.database.opening import Database
from app.history.states import SendResult
from app.numbers.tallies import EXACT, HOUR, Hours, Series, Tally, What, add_up, find_amount

LONGEST = 1_000  # bytes of parameters or a receipt that may tell an amount: servers group by the first 1,024


@dataclass(frozen=True, slots=True)
class Walk:
    """A table whose rows come once, and the time of each; `read` makes a row of the count of it.

    `select` counts the rows with ids from the first to the last mark, by hour.
    """

    what: What
    table: str
    time: str
    select: str
    read: Callable[[Sequence[Any]], tuple[Series, Tally]]


def read_events(row: Sequence[Any]) -> tuple[Series, Tally]:
    source, type, server, number, last = row
    series = Series(What.EVENTS, source=source, type=type, server_id=server)
    return series, Tally(int(number), last_at=int(last))


def read_grants(row: Sequence[Any]) -> tuple[Series, Tally]:
    rule, kind, params, receipt, number, payments, last = row
    amount = find_amount(params, receipt)
    whole = None if amount is None else EXACT.multiply(amount, int(number))
    series = Series(What.GRANTS, rule=rule, kind=kind)  # by server too there would be too many
    return series, Tally(int(number), int(payments), amount=whole, last_at=int(last))


def read_sends(row: Sequence[Any]) -> tuple[Series, Tally]:
    reporter, result, number, total, longest, last = row
    series = Series(What.SENDS, reporter=reporter, result=result)
    return series, Tally(int(number), int(total or 0), int(longest or 0), last_at=int(last))


def read_attempts(row: Sequence[Any]) -> tuple[Series, Tally]:
    what, number, last = row
    return Series(What.ATTEMPTS, result=what), Tally(int(number), last_at=int(last))


# A rule's payment of an event is counted with its first grant, wherever a stretch of ids ends.
FIRST_OF_PAYMENT = (
    "NOT EXISTS (SELECT 1 FROM guerdon_grants AS other WHERE other.event = one.event"
    " AND other.rule = one.rule AND other.id < one.id)"
)
TELLING_PARAMS = f"CASE WHEN LENGTH(one.params) < {LONGEST} THEN one.params ELSE '' END"
TELLING_RECEIPT = (
    "CASE WHEN one.params LIKE '%%\"amount\"%%' THEN '' WHEN one.receipt LIKE '%%\"amount\"%%'"
    f" AND LENGTH(one.receipt) < {LONGEST} THEN one.receipt ELSE '' END"
)
RESULT = (
    f"CASE WHEN one.ended_at IS NULL THEN '{SendResult.UNKNOWN}'"
    f" WHEN one.error = '' THEN '{SendResult.DELIVERED}' ELSE '{SendResult.FAILED}' END"
)
WALKS = (
    Walk(
        What.EVENTS, "guerdon_events", "settled_at",
        "SELECT one.settled_at - one.settled_at %% {hour}, one.source, one.type, one.server_id, COUNT(*),"
        " MAX(one.settled_at) FROM guerdon_events AS one WHERE {ids} GROUP BY 1, 2, 3, 4",
        read_events,
    ),
    Walk(
        What.GRANTS, "guerdon_grants", "granted_at",
        "SELECT one.granted_at - one.granted_at %% {hour}, one.rule, one.kind,"
        f" {TELLING_PARAMS}, {TELLING_RECEIPT}, COUNT(*),"
        f" SUM(CASE WHEN {FIRST_OF_PAYMENT} THEN 1 ELSE 0 END),"
        " MAX(one.granted_at) FROM guerdon_grants AS one WHERE {ids} GROUP BY 1, 2, 3, 4, 5",
        read_grants,
    ),
    Walk(
        What.SENDS, "guerdon_sends", "begun_at",
        f"SELECT one.begun_at - one.begun_at %% {{hour}}, report.reporter, {RESULT}, COUNT(*),"
        " SUM(one.latency), MAX(one.latency), MAX(one.begun_at) FROM guerdon_sends AS one"
        " JOIN guerdon_reports AS report ON report.id = one.report WHERE {ids} GROUP BY 1, 2, 3",
        read_sends,
    ),
    Walk(
        What.ATTEMPTS, "guerdon_attempts", "at",
        "SELECT one.at - one.at %% {hour}, one.what, COUNT(*), MAX(one.at)"
        " FROM guerdon_attempts AS one WHERE {ids} GROUP BY 1, 2",
        read_attempts,
    ),
)  # fmt: skip
WALK_OF = {walk.what: walk for walk in WALKS}


def count_rows(database: Database, walk: Walk, first: int, last: int | None) -> Hours:
    """What the rows from one id to another come to, by the hour; None: to the end of the table."""
    mark, params = database.param, [first]
    ids = f"one.id >= {mark}"
    if last is not None:
        ids += f" AND one.id <= {mark}"
        params.append(last)
    sql = walk.select.format(hour=HOUR, ids=ids)
    sql = sql if database.family == "mysql" else sql.replace("%%", "%")
    hours: Hours = {}
    for hour, *row in database.execute_sql(sql, params).fetchall():
        series, tally = walk.read(row)
        add_up(hours, [((series, int(hour)), tally)])
    return hours
