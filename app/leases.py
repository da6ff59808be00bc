"""Leases for every box: taken by compare-and-set and owned once that is committed.

`UPDATE … WHERE state = 'ready'` works on SQLite, MySQL, MariaDB and Galera alike; row locks that
skip, and GET_LOCK, do not. Every later change of a leased row checks the lease's token.
"""

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from peewee import fn

from app.database import Database

MAX_TAKES = 20  # a row that kills whoever takes it ends as dead
RISKY = 2  # takes that did not end in time
FREED_AT_ONCE = 500  # rows
TURNS = 3  # at rows that others lease just before us


@dataclass(frozen=True)
class Lease:
    """The rows that are ours until `until` (ms), as long as they carry the token."""

    token: str
    rows: tuple[Any, ...]  # as they are leased
    until: int

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(row.id for row in self.rows)


def take_leases(
    database: Database,
    model: Any,
    where: Any,
    order: Any,
    limit: int,
    now: int,
    length: int,
    max_takes: int = MAX_TAKES,
    death: Mapping[str, Any] | None = None,
    note: Callable[[list[Any]], list[Any]] = list,
    by_id: bool = False,
) -> Lease:
    """Lease up to `limit` ready rows of `model` that match `where`, for `length` ms.

    A row whose lease ran out `max_takes` times is dead, with the changes in `death`. `note` is called
    inside, with the rows just leased; it returns those that stay so, as they are then. `by_id`: `where`
    names the rows by their ids.
    """
    token, until = secrets.token_hex(16), now + length
    # Wrapped, it keeps SQLite from walking through all ready rows where it is told the ids.
    still = (fn.COALESCE(model.state, "") == "ready") & where
    wanted = still if by_id else (model.state == "ready") & where
    expired = (model.state == "leased") & (model.lease_until < now)

    def look(attempt: int) -> bool:
        return any(list_first(model, one, order, 1) for one in (wanted, expired))

    def take(attempt: int) -> list[Any]:
        ours = (model.lease_token == token) & (model.state == "leased")
        if attempt and (mine := list_leased(model, ours)):
            return mine  # the reply to an earlier COMMIT of ours was lost
        free_expired_leases(model, expired, max_takes, death or {})
        # One that may end its worker takes nobody along, and lets the others go first.
        is_risky = (model.takes >= RISKY) & (max_takes <= MAX_TAKES)
        for turn in range(TURNS):
            candidates = list_first(model, wanted & ~is_risky, order, limit, turn)
            candidates = candidates or list_first(model, wanted, order, 1, turn)
            if not candidates:
                break
            model.update(
                state="leased", lease_token=token, lease_until=until, takes=model.takes + 1
            ).where((model.id << candidates) & still).execute()  # others take too
            mine = (model.id << candidates) & (model.lease_token == token)
            if leased := list_leased(model, mine):
                return note(leased)
        return []

    rows = database.transact(take) if database.ask(look) else []
    return Lease(token, tuple(rows), until)


def list_leased(model: Any, where: Any) -> list[Any]:
    return [row for row in model.select().where(where).order_by(model.id) if row.state == "leased"]


def list_first(model: Any, where: Any, order: Any, limit: int, turn: int = 0) -> list[int]:
    """The first ids that match; after the first turn some of the first, for others want them too."""
    rows = model.select(model.id).where(where).order_by(order).limit(limit * (1 + 3 * turn))
    found = [row[0] for row in rows.tuples()]
    return random.sample(found, min(limit, len(found)))


def free_expired_leases(model: Any, expired: Any, max_takes: int, death: Mapping[str, Any]) -> None:
    """Inside: make rows whose lease ran out ready again, or dead after `max_takes`.

    They are read first and changed by their ids: a range would be locked while others end leases.
    """
    ids = list_first(model, expired, model.lease_until, FREED_AT_ONCE)
    if ids:
        mine = (model.id << ids) & expired
        model.update(state="dead", **death).where(mine & (model.takes >= max_takes)).execute()
        model.update(state="ready").where(mine & (model.takes < max_takes)).execute()


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

    def finish(attempt: int) -> bool:
        if model.update(**changes).where(mine & (model.state == "leased")).execute():
            note()
            return True
        # The reply to an earlier COMMIT of ours may have been lost.
        ended = mine & (model.state == changes["state"])
        return attempt > 0 and bool(model.select().where(ended).exists())

    return database.transact(finish)
