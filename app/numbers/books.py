"""What is counted, as it is kept: hours for ever, and recent blocks of ids that may still change.

A row may become visible long after its neighbours: databases give an id before COMMIT, and whoever
commits may have been stopped in between. So a block is counted anew, whole, until nobody can commit into it
any more, and only then added to the hours, in one commit with the place that says how far they go. Each
change first takes the walk's next version: whoever has read an older state changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from app.database.number_models import BlockRow, HourRow, RecentHourRow, WalkRow
from app.database.opening import Database
from app.database.statements import ROWS_AT_ONCE
from app.database.upserting import upsert_rows
from app.failpoints import reach
from app.numbers.catalogue import number_series
from app.numbers.tallies import DAY, HOUR, TALLY_COLUMNS, Hours, Tally, read_tally

EVER = 0  # the step of what is counted in all
STEPS = (HOUR, DAY, EVER)
KEY = ("what", "step", "hour", "series")
VALUES = ("number", "total", "longest", "amount", "last_at")


class Overtaken(Exception):
    """Somebody else has changed this walk since it was read."""


@dataclass(frozen=True, slots=True)
class Block:
    """A recent stretch of ids, counted as they were seen; `begun_at` in ms."""

    first: int
    last: int
    begun_at: int
    is_checked: bool


@dataclass(frozen=True, slots=True)
class WalkState:
    """How far a walk is: for ever to `place`, and then by its blocks, without a gap."""

    what: str
    version: int
    place: int
    blocks: tuple[Block, ...]

    @property
    def end(self) -> int:
        """The last id that is counted."""
        return self.blocks[-1].last if self.blocks else self.place


def read_state(database: Database, what: str) -> WalkState:
    """How far a walk is; version 0 where it has not begun."""
    mark = database.param
    sql = f"SELECT version, place FROM guerdon_walks WHERE what = {mark}"
    row = database.execute_sql(sql, (what,)).fetchone()
    sql = (
        f"SELECT first, last, begun_at, is_checked FROM guerdon_blocks WHERE what = {mark}"
        " ORDER BY first"
    )
    blocks = database.execute_sql(sql, (what,)).fetchall() if row else ()
    version, place = row or (0, 0)
    return WalkState(
        what, int(version), int(place),
        tuple(Block(int(a), int(b), int(at), bool(checked)) for a, b, at, checked in blocks),
    )  # fmt: skip


def begin_walk(database: Database, what: str) -> None:
    """Write the row that its changes wait for, where there is none."""
    row = WalkRow.insert(what=what, version=1, place=0)
    try:
        database.transact(lambda is_retry: row.execute())
    except IntegrityError:
        return  # another host is as far


def keep_block(database: Database, state: WalkState, block: Block, hours: Hours) -> None:
    """Put a block, as it was counted now, in the place of what was counted of it before.

    Raises Overtaken where the state is an old one.
    """

    def keep(is_retry: bool) -> None:
        take_version(database, state, state.place)
        forget_block(database, state.what, block.first)
        BlockRow.insert(
            what=state.what, first=block.first, last=block.last, begun_at=block.begun_at,
            is_checked=block.is_checked,
        ).execute()  # fmt: skip
        ids = number_series(database, {series for series, _ in hours})
        rows = [
            {"what": state.what, "block": block.first, "hour": hour, "series": ids[series]}
            | tally.write()
            for (series, hour), tally in hours.items()
        ]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            RecentHourRow.insert_many(rows[start : start + ROWS_AT_ONCE]).execute()
        reach("numbers: before COMMIT")

    database.transact(keep)


def forget_block(database: Database, what: str, first: int) -> None:
    RecentHourRow.delete().where(
        (RecentHourRow.what == what) & (RecentHourRow.block == first)
    ).execute()
    BlockRow.delete().where((BlockRow.what == what) & (BlockRow.first == first)).execute()


def add_for_ever(database: Database, state: WalkState, place: int, hours: Hours) -> None:
    """Add what was counted of the ids up to `place`; a block that is the first of the walk is gone then.

    Raises Overtaken where the state is an old one.
    """

    def add(is_retry: bool) -> None:
        take_version(database, state, place)
        for block in state.blocks:
            if block.last <= place:
                forget_block(database, state.what, block.first)
        ids = number_series(database, {series for series, _ in hours})
        add_hours(database, state.what, {(ids[one], hour): t for (one, hour), t in hours.items()})
        reach("numbers: added, before COMMIT")

    database.transact(add)


def take_version(database: Database, state: WalkState, place: int) -> None:
    """Inside, and first: others wait, or find that this state is an old one."""
    mark = database.param
    sql = (
        f"UPDATE guerdon_walks SET version = version + 1, place = {mark} WHERE what = {mark}"
        f" AND version = {mark}"
    )
    if not database.execute_sql(sql, (place, state.what, state.version)).rowcount:
        raise Overtaken(state.what)


def add_hours(database: Database, what: str, tallies: Mapping[tuple[int, int], Tally]) -> None:
    """Inside: add these, by series and hour, to what is kept for ever, in each of its steps."""
    for step in STEPS:
        added: dict[tuple[int, int], Tally] = {}
        for (series, hour), tally in tallies.items():
            begin = hour - hour % step if step else 0
            added.setdefault((begin, series), Tally()).add(tally)
        for key, before in read_kept(database, what, step, [begin for begin, _ in added]):
            if key in added:
                added[key].add(before)
        rows = [
            {"what": what, "step": step, "hour": begin, "series": series} | tally.write()
            for (begin, series), tally in sorted(added.items(), key=lambda one: one[0])
        ]
        upsert_rows(database, HourRow, KEY, rows, dict.fromkeys(VALUES, "{new}"))


def read_kept(
    database: Database, what: str, step: int, begins: Sequence[int]
) -> Iterator[tuple[tuple[int, int], Tally]]:
    """What is kept of these steps, by when they begin and by series."""
    mark = database.param
    if not begins:
        return
    sql = (
        f"SELECT hour, series, {TALLY_COLUMNS} FROM guerdon_hours WHERE what = {mark} AND step = {mark}"
        f" AND hour >= {mark} AND hour <= {mark}"
    )
    rows: Any = database.execute_sql(sql, (what, step, min(begins), max(begins))).fetchall()
    for hour, series, *values in rows:
        yield (int(hour), int(series)), read_tally(*values)
