"""Puts deliveries that never came into the inbox, as if they had come and could not be paid yet."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from peewee import PeeweeException

from app.database.error_kinds import ErrorKind, classify_error
from app.database.models import Attempt, Waiting
from app.database.opening import Database
from app.database.states import AttemptKind, BoxState
from app.failpoints import reach
from app.paying.inbox import AT_ONCE
from app.paying.keeping import find_key
from app.paying.ledger import IS_SETTLED
from app.porch.json import dump_json
from app.porch.types import Delivery

TOKEN = "reconciled"  # noqa: S105  (stands where the name of the token does that signed a delivery)


def park_missing(database: Database, deliveries: Sequence[Delivery], now: int, why: str) -> int:
    """Keep at most a few hundred deliveries, due at once; how many of them nobody had brought meanwhile.

    Whoever fetches and pays them is the inbox. `now` is in ms; `why` is for their timelines.
    """
    unit = partial(park, database, deliveries, now, why)
    try:
        count = database.transact(unit)
    except PeeweeException as error:
        if classify_error(error) != ErrorKind.DUPLICATE:
            raise
        count = database.transact(unit)  # another brought one just then, and it is seen now
    reach("reconciling: parked, after COMMIT")
    return count


def park(
    database: Database, deliveries: Sequence[Delivery], now: int, why: str, is_retry: bool,
    token: str = TOKEN, what: AttemptKind = AttemptKind.RECONCILED,
) -> int:  # fmt: skip
    """Inside: the rows of those that are neither settled nor in the inbox.

    `token` stands where the name of the one does that signed a delivery; `what` they are in the timelines.
    """
    by_key = {find_key(one): replace(one, token=token) for one in deliveries}
    for key in list_known(database, list(by_key)):
        del by_key[key]
    rows: list[dict[str, Any]] = [
        {"ordered_key": key, "source": one.source, "type": one.type, "event_id": one.id,
         "token": one.token, "data": dump_json(one.data), "state": BoxState.READY, "due_at": AT_ONCE,
         "lease_token": "", "lease_until": now, "takes": 0, "attempts": 0, "retries": 0,
         "last_error": "", "received_at": now, "waiting_since": now}
        for key, one in by_key.items()
    ]  # fmt: skip
    if rows:
        Waiting.insert_many(rows).execute()
        told = {"at": now, "what": what, "detail": why}
        Attempt.insert_many([{"ordered_key": key, **told} for key in by_key]).execute()
    if what is AttemptKind.RECONCILED:
        reach("reconciling: parked, before COMMIT")
    return len(rows)


def list_known(database: Database, keys: list[bytes]) -> set[bytes]:
    """Which of these events are settled, or have come."""
    marks = ", ".join([database.param] * len(keys))
    has_come = "SELECT ordered_key, 0 FROM guerdon_inbox WHERE ordered_key IN ({marks})"
    sql = f"{IS_SETTLED} UNION ALL {has_come}".format(marks=marks)
    return {bytes(row[0]) for row in database.execute_sql(sql, keys + keys).fetchall()}
