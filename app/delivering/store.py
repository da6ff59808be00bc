"""The rows of claims that consoles deliver, and each change of their states.

A lease is taken by compare-and-set and owned once that is committed, as in app/database/leases.py; but
one that ran out while a claim was sent does not make it ready: nobody knows whether it was given out.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from app.database.claim_models import Claim
from app.database.leases import NO_ENDS, SLACK
from app.database.opening import Database
from app.database.texts import is_same_text
from app.failpoints import reach
from app.porch.claims import ClaimState

LEASE = 60_000  # ms for a claim that waits for its turn
SENDING = 45_000  # ms for one send; a plugin has less
LONGEST_PAUSE = 3_600_000  # ms until a claim is tried again
NEVER = 1 << 53  # ms: a person decides
AT_ONCE = 500  # rows
LONGEST_ERROR = 500  # characters
KILLED = "whoever sent it was killed, or cut off: nobody knows whether it was given out"
POLLED = "a game server leased it and never said that it gave it out: nobody knows whether it did"


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a send, to be noted: the row's new state, and why."""

    id: int
    token: str
    state: ClaimState
    at: int  # ms, as the next
    retry_at: int = 0
    why: str = ""
    answer: str | None = None
    is_unsent: bool = False  # no byte left, so it does not count as a send


@dataclass(frozen=True, slots=True)
class Begun:
    """A send that begins: its row is ours by `token`."""

    id: int
    token: str
    at: int  # ms
    console: str


class ClaimRows:
    """The claims of one console."""

    def __init__(self, database: Database, server_ids: Sequence[str]) -> None:
        self._database = database
        self._mine = reduce(
            or_, (is_same_text(database, Claim.server_id, one) for one in server_ids)
        )

    def has_ready(self, now: int) -> bool:
        """Whether there is something to deliver: a look, and no transaction."""
        ready = self._mine & (Claim.state == ClaimState.READY) & is_due(now)
        return self._database.read(lambda: bool(list_ids(ready, 1)))

    def has_waiting(self, now: int) -> bool:
        """Whether somebody's claim waits for him whose pause is over."""
        waits = self._mine & (Claim.state == ClaimState.WAITS) & is_due(now)
        return self._database.read(lambda: bool(list_ids(waits, 1)))

    def lease(self, limit: int, now: int) -> list[Claim]:
        """Up to `limit` ready claims that are due, in the order of their making, ours for LEASE."""
        token, until = secrets.token_hex(16), now + LEASE
        ready = self._mine & (Claim.state == ClaimState.READY)

        def take(is_retry: bool) -> list[Claim]:
            ours = (Claim.lease_token == token) & (Claim.state == ClaimState.LEASED)
            if is_retry and (mine := list(Claim.select().where(ours).order_by(Claim.id))):
                return mine  # the reply to an earlier COMMIT of ours was lost
            ids = list_ids(ready & is_due(now), limit)
            changes = {"state": ClaimState.LEASED, "lease_token": token, "lease_until": until}
            if not ids or not update((Claim.id << ids) & ready, **changes):
                return []
            reach("console: leased, before COMMIT")
            return list(Claim.select().where((Claim.id << ids) & ours).order_by(Claim.id))

        rows = self._database.transact(take)
        if rows:
            reach("console: leased, after COMMIT")
        return rows

    def change_leased(self, ids: Sequence[int], token: str, state: ClaimState, **more: Any) -> None:
        """Rows of which nothing has left get another state, as far as they are still ours."""
        where = (Claim.id << list(ids)) & (Claim.lease_token == token)
        still = where & (Claim.state == ClaimState.LEASED)
        if ids:
            self._database.transact(lambda is_retry: update(still, state=state, **more))

    def take_back_late(self, now: int, running: tuple[int, int] = NO_ENDS) -> int:
        """End leases that ran out: what was being sent is unknown, the rest is ready; how many unknown.

        `running` are the first and last end of leases that still run, as Clock.find_running has them.
        """
        until = Claim.lease_until
        late = (until < now) & ~until.between(*running) if running[0] <= running[1] else until < now
        endless = (
            until > now + LEASE + SLACK
        )  # the clock was set back: no lease is longer than that
        held = self._mine & (Claim.state << [ClaimState.SENDING, ClaimState.LEASED])
        # A lease of a game server is longer, and is brought back by whoever leases next.
        held &= (Claim.state == ClaimState.SENDING) | (Claim.takes == 0) | late

        def end(is_retry: bool) -> int:
            ids = list_ids(held & late, AT_ONCE)
            astray = list_ids(held & endless & (Claim.takes == 0), AT_ONCE)
            update((Claim.id << astray) & endless, lease_until=now + LEASE)
            mine = (Claim.id << ids) & late
            unknown = {"state": ClaimState.UNKNOWN, "last_error": KILLED, "retry_at": 0}
            count = update(mine & (Claim.state == ClaimState.SENDING), **unknown)
            update(mine & (Claim.state == ClaimState.LEASED), state=ClaimState.READY)
            if count:
                reach("console: late ones unknown, before COMMIT")
            return count

        is_worth_it = self._database.read(lambda: bool(list_ids(held & (late | endless), 1)))
        return self._database.transact(end) if is_worth_it else 0

    def list_unknown(self, now: int, limit: int) -> list[Claim]:
        """Unknown ones of which nothing was decided yet, or that are to be looked at again."""
        where = self._mine & (Claim.state == ClaimState.UNKNOWN) & is_due(now)
        query = Claim.select().where(where).order_by(Claim.id).limit(limit)
        return self._database.read(lambda: list(query))

    def decide_unknown(self, row: Claim, state: ClaimState, **more: Any) -> bool:
        """An unknown claim becomes something else, where nobody has decided or sent meanwhile."""
        as_seen = (Claim.id == row.id) & (Claim.state == ClaimState.UNKNOWN)
        as_seen &= Claim.sends == row.sends
        return bool(self._database.transact(lambda is_retry: update(as_seen, state=state, **more)))

    def wake(self, now: int, is_there: Callable[[str], bool]) -> int:
        """Claims whose players are back, or whose pause is over, are ready again; how many."""
        where, last, count = self._mine & (Claim.state == ClaimState.WAITS) & is_due(now), 0, 0
        while rows := self._list_waiting(where & (Claim.id > last)):
            last = rows[-1][0]
            back = [id_ for id_, nickname in rows if is_there(nickname)]
            count += self._make_ready(back) if back else 0
        return count

    def _make_ready(self, ids: Sequence[int]) -> int:
        waiting = (Claim.id << list(ids)) & (Claim.state == ClaimState.WAITS)
        ready = {"state": ClaimState.READY, "retry_at": 0}
        return self._database.transact(lambda is_retry: update(waiting, **ready))

    def _list_waiting(self, where: Any) -> list[tuple[int, str]]:
        query = (
            Claim.select(Claim.id, Claim.nickname).where(where).order_by(Claim.id).limit(AT_ONCE)
        )
        rows: Any = query.tuples()
        return self._database.read(lambda: list(rows))

    def expire(self, before: int, why: str) -> int:
        """Claims made before this time (ms) are not delivered any more; how many there were."""
        where = self._mine & (Claim.state << [ClaimState.READY, ClaimState.WAITS])
        where &= Claim.created_at < before
        ids = self._database.read(lambda: list_ids(where, AT_ONCE))
        changes = {"state": ClaimState.REFUSED, "last_error": why}
        if not ids:
            return 0
        return self._database.transact(lambda _: update((Claim.id << ids) & where, **changes))


def note(database: Database, changes: Collection[Begun | Ended]) -> list[bool]:
    """Note what ended and what begins, all in one commit; of each, whether it was still ours."""

    def write(is_retry: bool) -> list[bool]:
        done = [begin(one) if isinstance(one, Begun) else end(one) for one in changes]
        if any(isinstance(one, Begun) for one in changes):
            reach("console: sending, before COMMIT")
        if any(isinstance(one, Ended) for one in changes):
            reach("console: noted, before COMMIT")
        return done

    written = database.transact(write)
    if any(isinstance(one, Begun) for one in changes):
        reach("console: sending, after COMMIT")
    if any(isinstance(one, Ended) for one in changes):
        reach("console: noted, after COMMIT")
    return written


def begin(one: Begun) -> bool:
    """Inside: this send begins, if the row is still leased to us; again is fine."""
    mine = (Claim.id == one.id) & (Claim.lease_token == one.token)
    changes = {
        "state": ClaimState.SENDING, "sends": Claim.sends + 1, "sent_at": one.at,
        "lease_until": one.at + SENDING, "console": one.console, "answer": None, "last_error": "",
    }  # fmt: skip
    if update(mine & (Claim.state == ClaimState.LEASED), **changes):
        return True
    sending = mine & (Claim.state == ClaimState.SENDING) & (Claim.sent_at == one.at)
    return bool(Claim.select().where(sending).exists())


def end(one: Ended) -> bool:
    """Inside: what became of a send, also of one that was late and is unknown by now; again is fine."""
    mine = (Claim.id == one.id) & (Claim.lease_token == one.token)
    changes: dict[str, Any] = {
        "state": one.state, "retry_at": one.retry_at, "last_error": one.why[:LONGEST_ERROR],
        "answer": one.answer,
    }  # fmt: skip
    if one.is_unsent:
        changes["sends"] = Claim.sends - 1
    if one.state is ClaimState.DONE:
        changes["done_at"] = one.at
    open_states = [ClaimState.SENDING, ClaimState.UNKNOWN]
    if not one.is_unsent:
        open_states.append(ClaimState.READY)  # it was to be sent again, and was not yet
    return bool(update(mine & (Claim.state << open_states), **changes))


def is_due(now: int) -> Any:
    """Also where the clock was set back since its time was written."""
    too_far = (Claim.retry_at > now + LONGEST_PAUSE + SLACK) & (Claim.retry_at != NEVER)
    return (Claim.retry_at <= now) | too_far


def update(where: Any, **changes: Any) -> int:
    return int(Claim.update(**changes).where(where).execute())


def list_ids(where: Any, limit: int) -> list[int]:
    query: Any = Claim.select(Claim.id).where(where).order_by(Claim.id).limit(limit).tuples()
    return [id_ for (id_,) in query]
