"""What is shown of votes: who has most of them, and how many one player has; all from the ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.counting.imported import VOTE, Totals, name_totals, read_totals
from app.counting.occasions import SOURCE, Occasion
from app.counting.player_index import has_player_index
from app.counting.streaks import build_chains, find_current
from app.database.keys import make_event_key
from app.database.opening import Database
from app.database.windows import find_first_row
from app.porch.errors import GuerdonError
from app.rules.calendar import EARLY, Calendar, Unit

# A row of the ledger is one vote, or an import of many.
WITH_IMPORTED = (
    f"SUM(CASE WHEN type = '{VOTE}' THEN 1 ELSE CAST(JSON_EXTRACT(data, '$.votes') AS SIGNED) END)"
)
UNITS = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR, Unit.EVER)


@dataclass(frozen=True, slots=True)
class Streak:
    """Days in a row with a vote; it `breaks_at` (ms) if there is none before; 0 days: there is none."""

    length: int
    last_day: date | None
    breaks_at: int | None


def read_moments(database: Database, player: str) -> list[int]:
    """When the votes of a player were cast (ms), by his key."""
    mark = database.param
    his = f"player_id = {mark}"
    if not has_player_index(database):
        his = f"id IN (SELECT event FROM guerdon_grants WHERE {his})"
    sql = (
        f"SELECT counted_at FROM guerdon_events WHERE {his} AND type = {mark}"
        " AND counted_at IS NOT NULL"
    )
    return [row[0] for row in database.execute_sql(sql, (player, VOTE)).fetchall()]


def read_imported(database: Database, player: str) -> Totals:
    """What was imported of a player, by his key."""
    sql = f"SELECT data FROM guerdon_events WHERE ordered_key = {database.param}"
    row = database.execute_sql(
        sql, (make_event_key(SOURCE, Occasion.TOTALS, name_totals(player)),)
    ).fetchone()
    return read_totals(json.loads(row[0])) if row else Totals()


def count_votes(
    calendar: Calendar, moments: Sequence[int], imported: Totals, now: int
) -> dict[str, int]:
    """How many votes are of this day, week, month, year, and ever; the imported are of ever alone."""
    wanted = {unit: calendar.name_period(unit, now) for unit in UNITS}
    found = {
        str(unit): sum(calendar.name_period(unit, moment) == period for moment in moments)
        for unit, period in wanted.items()
    }
    found[Unit.EVER] += imported.votes
    return found


def find_streak(calendar: Calendar, moments: Sequence[int], imported: Totals, now: int) -> Streak:
    """The streak of days that a vote now would go on, or is in."""
    numbers = {calendar.number_period(Unit.DAY, moment) for moment in moments} | {*imported.days}
    today = calendar.number_period(Unit.DAY, now)
    chain = find_current(build_chains(numbers, 0), today, 0)
    if chain is None:
        return Streak(0, None, None)
    last = date.fromordinal(chain.last)
    return Streak(chain.length, last, calendar.begin_day(last + timedelta(days=2)))


def read_period(
    calendar: Calendar, unit: Unit, said: str | None, now: int
) -> tuple[int, int | None]:
    """When a period begins and ends (ms), from its name as "2026-11"; None: the one of now.

    Raises GuerdonError for what is no period of this unit.
    """
    if unit == Unit.EVER:
        return 0, None
    period = f"{unit}:{said}" if said else calendar.name_period(unit, now)
    try:
        end = calendar.end_period(period)
        first = find_first_day(unit, period.partition(":")[2])
        if unit == Unit.WEEK and calendar.find_week(first) != first:
            raise ValueError
        begin = calendar.begin_day(first)
    except (ValueError, OverflowError):
        raise GuerdonError(f"{said} is no {unit}: {EXAMPLES[unit]}") from None
    return begin, end


EXAMPLES = {
    Unit.DAY: "it is written as 2026-11-28",
    Unit.WEEK: "it is written as its first day, as 2026-11-23",
    Unit.MONTH: "it is written as 2026-11",
    Unit.YEAR: "it is written as 2026",
}


def find_first_day(unit: Unit, said: str) -> date:
    match unit:
        case Unit.YEAR:
            return date(int(said), 1, 1)
        case Unit.MONTH:
            return date.fromisoformat(f"{said}-01")
    return date.fromisoformat(said)


def count_board(
    database: Database, begin: int, end: int | None, server: str | None, limit: int
) -> list[tuple[str, int]]:
    """Who has the most votes from `begin` until before `end` (ms): keys and numbers, most first.

    Without an end and of all servers, what was imported counts too.
    """
    sql, params = ask_votes(database, begin, end, server)
    if first := find_first_row(database, begin - EARLY):
        sql, params = f"{sql} AND id >= {database.param}", [*params, first]
    sql = f"{sql} GROUP BY player_id ORDER BY 2 DESC, 3, 1 LIMIT {int(limit)}"
    return [(row[0], int(row[1])) for row in database.execute_sql(sql, params).fetchall()]


def count_part(
    database: Database, begin: int, end: int | None, server: str | None, ids: range
) -> list[tuple[str, int, int]]:
    """The same of rows with these ids alone: each player's votes, and when the last was cast (ms)."""
    sql, params = ask_votes(database, begin, end, server)
    mark = database.param
    sql = f"{sql} AND id >= {mark} AND id < {mark} GROUP BY player_id"
    rows = database.execute_sql(sql, [*params, ids.start, ids.stop]).fetchall()
    return [(row[0], int(row[1]), int(row[2])) for row in rows]


def ask_votes(
    database: Database, begin: int, end: int | None, server: str | None
) -> tuple[str, list[Any]]:
    """Each player's votes, and when the last was cast: a statement that lacks its GROUP BY."""
    mark, with_imported = database.param, end is None and server is None
    conditions, params = [f"counted_at >= {mark}", f"type = {mark}"], [begin, VOTE]
    if with_imported:
        conditions[1] = f"(type = {mark} OR (type = {mark} AND source = {mark}))"
        params += [Occasion.TOTALS.value, SOURCE]
    for value, condition in ((end, "counted_at <"), (server, "server_id =")):
        if value is not None:
            conditions.append(f"{condition} {mark}")
            params.append(value)
    number = WITH_IMPORTED if with_imported else "COUNT(*)"
    sql = (
        f"SELECT player_id, {number}, MAX(counted_at) FROM guerdon_events"
        f" WHERE {' AND '.join(conditions)} AND player_id <> ''"
    )
    return sql, params
