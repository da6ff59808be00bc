"""Leases for every box: taken by compare-and-set and owned once that is committed.

`UPDATE … WHERE state = 'ready'` works on SQLite, MySQL, MariaDB and Galera alike; row locks that
skip, and GET_LOCK, do not. Every later change of a leased row checks the lease's token.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.database import Database

MAX_TAKES = 20  # a row that kills whoever takes it ends as dead


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
    free_expired_leases(database, model, now, max_takes)
    candidates = [
        row[0]
        for row in model.select(model.id)
        .where((model.state == "ready") & where).order_by(order).limit(limit).tuples()
    ]  # fmt: skip
    token, until = secrets.token_hex(16), now + length
    if not candidates:
        return Lease(token, (), until)

    def take(attempt: int) -> None:
        model.update(
            state="leased", lease_token=token, lease_until=until, takes=model.takes + 1
        ).where((model.id << candidates) & (model.state == "ready")).execute()

    database.transact(take)
    owned = model.select(model.id).where((model.id << candidates) & (model.lease_token == token))
    return Lease(token, tuple(sorted(row[0] for row in owned.tuples())), until)


def free_expired_leases(database: Database, model: Any, now: int, max_takes: int) -> None:
    """Make rows whose lease ran out ready again, or dead after `max_takes`."""
    expired = (model.state == "leased") & (model.lease_until < now)
    if not model.select(model.id).where(expired).limit(1).tuples():
        return
    for state, takes in (("dead", model.takes >= max_takes), ("ready", model.takes < max_takes)):

        def free(attempt: int, state: str = state, takes: Any = takes) -> None:
            model.update(state=state, lease_token="").where(expired & takes).execute()

        database.transact(free)


def finish_lease(
    database: Database, model: Any, id: int, token: str, changes: Mapping[str, Any]
) -> bool:
    """Change a leased row and end its lease; False when the lease is no longer ours."""

    def finish(attempt: int) -> int:
        ours = (model.id == id) & (model.lease_token == token) & (model.state == "leased")
        return int(model.update(lease_token="", **changes).where(ours).execute())

    return database.transact(finish) == 1
