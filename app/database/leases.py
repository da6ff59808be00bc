"""Leases for every box: taken by compare-and-set and owned once that is committed.

`UPDATE … WHERE state = 'ready'` works on SQLite, MySQL, MariaDB and Galera alike; row locks that
skip, and GET_LOCK, do not. Every later change of a leased row checks the lease's token.

A clock may be set meanwhile. Set forward, it ends no lease early where that was seen; set back, it keeps
no row for longer than a lease or its own delay.
"""

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from peewee import Model, fn

from app.database.opening import Database
from app.database.states import BoxState

Row = TypeVar("Row", bound=Model)
MAX_TAKES = 20  # a row that kills whoever takes it ends as dead
RISKY = 2  # takes that did not end in time
FREED_AT_ONCE = 1000  # rows
TURNS = 3  # at rows that others lease just before us
SLACK = 1_000  # ms that a clock of ours may be ahead of another
NO_ENDS = (0, -1)


@dataclass(frozen=True)
class Lease(Generic[Row]):
    """The rows that are ours until `until` (ms), as long as they carry the token."""

    token: str
    rows: tuple[Row, ...]  # as they are leased
    until: int

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(row.get_id() for row in self.rows)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Astray:
    """Which rows of a box wait for nobody, as SQL conditions.

    A ready row that has a `due_at` holds in `lease_until` when that was written.
    """

    late: Any  # their lease ran out
    endless: Any  # leased for longer than any lease is: the clock was set back
    untimely: Any  # ready, and written at a time that is still to come: it was, too
    any: Any
    now: int
    longest: int  # ms that a lease may be


def find_astray(model: Any, now: int, longest: int, running: tuple[int, int]) -> Astray:
    """`running` are the first and last end (ms) of leases that still run, though `now` is later."""
    until, leased, ready = (
        model.lease_until,
        model.state == BoxState.LEASED,
        model.state == BoxState.READY,
    )
    late = leased & (until < now)
    if running[0] <= running[1]:
        late &= ~until.between(*running)
    endless = leased & (until > now + longest + SLACK)
    untimely = ready & (until > now + SLACK)
    found = late | endless | untimely if hasattr(model, "due_at") else late | endless
    return Astray(late, endless, untimely, found, now, longest)


def take_leases(
    database: Database,
    model: type[Row],
    where: Any,
    order: Any,
    limit: int,
    now: int,
    length: int,
    max_takes: int = MAX_TAKES,
    death: Mapping[str, Any] | None = None,
    note: Callable[[list[Row]], list[Row]] = list,
    by_id: bool = False,
    longest: int | None = None,
    running: tuple[int, int] = NO_ENDS,
) -> Lease[Row]:
    """Lease up to `limit` ready rows of `model` that match `where`, for `length` ms.

    A row whose lease ran out `max_takes` times is dead, with the changes in `death`. `note` is called
    inside, with the rows just leased; it returns those that stay so, as they are then. `by_id`: `where`
    names the rows by their ids. `longest` (ms): what a lease of this box may be, where not `length`;
    `running`: Clock.find_running() of that.
    """
    # Wrapped, it keeps SQLite from walking through all ready rows where it is told the ids.
    state: Any = model.state  # type: ignore[attr-defined]
    still = (fn.COALESCE(state, "") == BoxState.READY) & where
    taking = Taking(
        database, model, still, still if by_id else (state == BoxState.READY) & where, order, limit,
        find_astray(model, now, longest or length, running),
        secrets.token_hex(16), now + length, max_takes, death or {}, note,
    )  # fmt: skip
    rows = database.transact(taking.take) if database.read(taking.is_worth_it) else []
    return Lease(taking.token, tuple(rows), taking.until)


@dataclass(frozen=True)
class Taking(Generic[Row]):
    """One taking of leases; see take_leases."""

    database: Database
    model: Any  # type[Row]: Peewee puts its columns on it
    still: Any  # what a row must be that is leased now
    wanted: Any  # the same, as rows are looked for
    order: Any
    limit: int
    astray: Astray
    token: str
    until: int
    max_takes: int
    death: Mapping[str, Any]
    note: Callable[[list[Row]], list[Row]]

    def is_worth_it(self) -> bool:
        """Whether there is a row to lease or to bring back: a look, and no transaction."""
        looks = ((self.wanted, self.order), (self.astray.any, self.model.lease_until))
        return any(list_first(self.model, where, by, 1) for where, by in looks)

    def take(self, is_retry: bool) -> list[Row]:
        """Inside: the rows that are ours now."""
        ours = (self.model.lease_token == self.token) & (self.model.state == BoxState.LEASED)
        if is_retry and (mine := list_leased(self.model, ours)):
            return mine  # the reply to an earlier COMMIT of ours was lost
        bring_back(self.database, self.model, self.astray, self.max_takes, self.death)
        for turn in range(TURNS):
            candidates = self.list_candidates(turn)
            if not candidates:
                break
            if leased := lease_listed(self.model, candidates, self.still, self.token, self.until):
                return self.note(leased)
        return []

    def list_candidates(self, turn: int) -> list[int]:
        """One that may end its worker takes nobody along, and lets the others go first."""
        is_risky = (self.model.takes >= RISKY) & (self.max_takes <= MAX_TAKES)
        calm = list_first(self.model, self.wanted & ~is_risky, self.order, self.limit, turn)
        return calm or list_first(self.model, self.wanted, self.order, 1, turn)


def lease_listed(model: Any, ids: list[int], still: Any, token: str, until: int) -> list[Any]:
    """Inside: lease those of these rows that are `still` ready, for others lease them too; which."""
    changes = model.update(
        state=BoxState.LEASED, lease_token=token, lease_until=until, takes=model.takes + 1
    )
    changes.where((model.id << ids) & still).execute()
    return list_leased(model, (model.id << ids) & (model.lease_token == token))


def list_leased(model: Any, where: Any) -> list[Any]:
    return [
        row
        for row in model.select().where(where).order_by(model.id)
        if row.state == BoxState.LEASED
    ]


def list_first(model: Any, where: Any, order: Any, limit: int, turn: int = 0) -> list[int]:
    """The first ids that match; after the first turn some of the first, for others want them too."""
    rows = model.select(model.id).where(where).order_by(order).limit(limit * (1 + 3 * turn))
    found = [row[0] for row in rows.tuples()]
    return random.sample(found, min(limit, len(found)))


def bring_back(
    database: Database, model: Any, astray: Astray, max_takes: int, death: Mapping[str, Any]
) -> None:
    """Inside: make rows whose lease ran out ready again, or dead after `max_takes`; end endless waits.

    They are read first and changed by their ids: a range would be locked while others end leases.
    """
    ids = list_first(model, astray.any, model.lease_until, FREED_AT_ONCE)
    if not ids:
        return
    mine = model.id << ids
    late = mine & astray.late
    model.update(state=BoxState.DEAD, **death).where(late & (model.takes >= max_takes)).execute()
    model.update(state=BoxState.READY).where(late & (model.takes < max_takes)).execute()
    # Its holder may well be alive: it has the time that it was promised, and no more.
    move_back(database, model, mine & astray.endless, astray.now + astray.longest)
    if hasattr(model, "due_at"):
        move_back(database, model, mine & astray.untimely, astray.now)


def move_back(database: Database, model: Any, where: Any, to: int) -> None:
    """Inside: set `lease_until` back to this time (ms), and the row's other times by as much."""
    query: Any = model.select(model.id).where(where).tuples()
    ids = [row[0] for row in query]
    # It comes last: MySQL goes by what it has just set.
    times = ("waiting_since", "due_at") if hasattr(model, "due_at") else ()
    changes = [*(f"{time} = {time} - (lease_until - ?)" for time in times), "lease_until = ?"]
    sql = (
        f"UPDATE {model._meta.table_name} SET {', '.join(changes)}"
        f" WHERE lease_until > ? AND id IN ({', '.join('?' * len(ids))})"
    )
    if ids:
        database.execute_sql(sql.replace("?", database.param), [*[to] * (len(times) + 2), *ids])


def correct_due(row: Any, now: int) -> int:
    """When a ready row is due (ms), also where the clock was set back since that was written."""
    ahead = row.lease_until - now if row.state == BoxState.READY else 0
    return int(row.due_at - ahead if ahead > SLACK and row.due_at > now else row.due_at)


def finish_lease(
    database: Database,
    model: Any,
    id: int,
    token: str,
    changes: Mapping[str, Any],
    note: Callable[[], object] = bool,
) -> bool:
    """Change a leased row and end its lease; False when the lease is no longer ours.

    `changes` hold its new state; `note` is called inside, with the change. The token stays: it tells
    whose change it was.
    """
    mine = (model.id == id) & (model.lease_token == token)

    def finish(is_retry: bool) -> bool:
        if model.update(**changes).where(mine & (model.state == BoxState.LEASED)).execute():
            note()
            return True
        # The reply to an earlier COMMIT of ours may have been lost.
        ended = mine & (model.state == changes["state"])
        return is_retry and bool(model.select().where(ended).exists())

    return database.transact(finish)
