"""Leases for every box: taken by compare-and-set and owned once that is committed.

`UPDATE … WHERE state = 'ready'` works on SQLite, MySQL, MariaDB and Galera alike; row locks that
skip, and GET_LOCK, do not. Every later change of a leased row checks the lease's token.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.database import Database

MAX_TAKES = 20  # a row that kills whoever takes it ends as dead
RISKY = 2  # takes that did not end in time


@dataclass(frozen=True)
class Lease:
    """The rows that are ours until `until` (ms), as long as they carry the token."""

    token: str
    ids: tuple[int, ...]
    until: int


def take_leases(
    database: Database,
    model: Any,
    where: Any,
    order: Any,
    limit: int,
    now: int,
    length: int,
    max_takes: int = MAX_TAKES,
) -> Lease:
    """Lease up to `limit` ready rows of `model` that match `where`, for `length` ms.

    A row whose lease ran out `max_takes` times is dead.
    """
    token, until = secrets.token_hex(16), now + length
    wanted = (model.state == "ready") & where
    expired = (model.state == "leased") & (model.lease_until < now)

    def look(attempt: int) -> bool:
        return bool(model.select().where(wanted | expired).limit(1).tuples())

    def take(attempt: int) -> list[int]:
        if attempt and (mine := list_leased(model, token)):
            return mine  # the reply to an earlier COMMIT of ours was lost
        free_expired_leases(model, expired, max_takes)
        ready = model.select(model.id, model.takes).where(wanted).order_by(order).limit(limit)
        candidates = choose_company(list(ready.tuples()), max_takes)
        if candidates:
            model.update(
                state="leased", lease_token=token, lease_until=until, takes=model.takes + 1
            ).where((model.id << candidates) & (model.state == "ready")).execute()
        return list_leased(model, token)

    ids = database.transact(take) if database.ask(look) else []
    return Lease(token, tuple(ids), until)


def list_leased(model: Any, token: str) -> list[int]:
    rows = model.select(model.id).where((model.lease_token == token) & (model.state == "leased"))
    return [row[0] for row in rows.order_by(model.id).tuples()]


def choose_company(rows: list[tuple[int, int]], max_takes: int) -> list[int]:
    """Of (id, takes) the ids to lease together: one that may end its worker takes nobody along."""
    safe = [id_ for id_, takes in rows if takes < RISKY or max_takes > MAX_TAKES]
    return safe or [id_ for id_, _ in rows[:1]]


def free_expired_leases(model: Any, expired: Any, max_takes: int) -> None:
    """Inside: make rows whose lease ran out ready again, or dead after `max_takes`."""
    for state, takes in (("dead", model.takes >= max_takes), ("ready", model.takes < max_takes)):
        model.update(state=state).where(expired & takes).execute()


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
