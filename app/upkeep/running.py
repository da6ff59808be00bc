"""Acts in the background: one at a time, in chunks, by whichever host has the lease.

Each chunk is one commit: its rows, and the act's own row, which says how far it is. So whoever is killed
leaves whole chunks behind, and whoever comes after, or was held up and goes on beside him, finds each chunk
either passed or not. A row is touched once by an act, for it stands in one chunk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from app.database.act_models import Act, ActChunk
from app.database.chunks import BREATH, ROWS_AT_ONCE
from app.database.clock import Clock, make_clock
from app.database.leases import Lease, take_leases
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.failpoints import reach
from app.history.filters import parse_event_filter, parse_report_filter
from app.history.reports import revive_rows
from app.paying.inbox import Inbox
from app.upkeep.planning import RETRY_EVENTS, list_states, read_rows

log = structlog.get_logger()

LEASE = 15_000  # ms; a chunk takes some, and renews it
TURN = 0.5  # seconds of one turn: what waits in the inbox is tried between two
LOOK_EVERY = 1.0  # seconds between looks whether there is anything to do
KILLER = "taken 20 times and never finished: it seems to end whoever runs it"


@dataclass(frozen=True, slots=True)
class Passed:
    """A chunk that is behind us: to how many rows something was done, and whether it was the last."""

    done: int
    is_last: bool


class Runner:
    """Goes on with what people have started."""

    def __init__(self, database: Database, inbox: Inbox, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._inbox = inbox
        self._now: Clock = make_clock(now)
        self._next_look = 0.0

    def serve(self) -> int:
        """Go on for a turn where there is something to do; to how many rows it was done."""
        if time.monotonic() < self._next_look:
            return 0
        if self.find_first() is None:
            self._next_look = time.monotonic() + LOOK_EVERY
            return 0
        return self.run_turn()

    def run_turn(self) -> int:
        """Go on with the first act that is not over, for half a second; to how many rows it was done.

        Nothing where there is none, or another has it in hand.
        """
        first = self.find_first()
        if first is None:
            return 0
        lease = take_leases(
            self._database, Act, Act.id == first, Act.id, 1, self._now(), LEASE,
            death={"error": KILLER, "ended_at": self._now()}, by_id=True,
            running=self._now.find_running(LEASE),
        )  # fmt: skip
        if not lease.rows:
            return 0
        reach("act: leased, after COMMIT")
        return self._go_on(lease)

    def find_first(self) -> int | None:
        """The act that is gone on with next; None: all are over. They are done as they were planned."""
        unfinished = Act.select(Act.id).where(Act.state << ON_THEIR_WAY).order_by(Act.id).limit(1)
        rows: Any = unfinished.tuples()
        return next((row[0] for row in self._database.read(lambda: list(rows))), None)

    def _go_on(self, lease: Lease[Act]) -> int:
        act: Any = lease.rows[0]
        place, done, deadline = act.place, 0, time.monotonic() + TURN
        while True:
            passed = self._database.transact(partial(self._pass_chunk, act, lease.token, place))
            reach("act: chunk passed, after COMMIT")
            if passed is None:
                log.info("act not gone on with", act=act.id)  # it was stopped, or is another's now
                return done
            done += passed.done
            place += 1
            if passed.is_last:
                log.info("act done", act=act.id, what=act.what, person=act.person)
                return done
            if time.monotonic() > deadline:
                self._give_back(act.id, lease.token)
                return done
            time.sleep(BREATH)

    def _pass_chunk(self, act: Any, token: str, place: int, is_retry: bool) -> Passed | None:
        """Inside: what is to be done to the rows of a chunk; None where it is not ours to do."""
        is_last = (place + 1) * ROWS_AT_ONCE >= act.number
        mine = (Act.id == act.id) & (Act.lease_token == token)
        leased = mine & (Act.state == BoxState.LEASED) & (Act.place == place)
        changes: dict[str, Any] = {"place": place + 1, "lease_until": self._now() + LEASE}
        if is_last:
            changes |= {"state": BoxState.DONE, "ended_at": self._now()}
        if not Act.update(**changes).where(leased).execute():
            # The reply to an earlier COMMIT of ours may have been lost.
            is_kept = is_retry and Act.select().where(mine & (Act.place == place + 1)).exists()
            return Passed(0, is_last) if is_kept else None
        done = self._revive(act, read_rows(act.id, place))
        Act.update(done=Act.done + done).where(Act.id == act.id).execute()
        if is_last:
            ActChunk.delete().where(ActChunk.act == act.id).execute()
        reach("act: chunk passed, before COMMIT")
        return Passed(done, is_last)

    def _revive(self, act: Any, ids: list[int]) -> int:
        """Inside: those that are still as they were counted."""
        if act.what == RETRY_EVENTS:
            return self._inbox.revive_rows(list_states(parse_event_filter(act.about)), ids)
        return revive_rows(list_states(parse_report_filter(act.about)), self._now(), ids)

    def _give_back(self, id: int, token: str) -> None:
        """Whoever looks first goes on: another host, or we."""
        mine = (Act.id == id) & (Act.lease_token == token) & (Act.state == BoxState.LEASED)
        changes = Act.update(state=BoxState.READY, takes=0).where(mine)
        self._database.transact(lambda is_retry: changes.execute())
