"""One console's claims: leased, looked at, sent by as many at once as it has connections, and noted."""

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from peewee import PeeweeException

from app.database.claim_models import Claim
from app.database.clock import Clock
from app.database.named_leases import NamedLease
from app.database.opening import Database
from app.delivering.consoles import describe
from app.delivering.courier import Courier, Sent, read_row
from app.delivering.deciding import Decider
from app.delivering.notes import Notes
from app.delivering.store import LEASE, POLLED, SENDING, Begun, ClaimRows, Ended
from app.failpoints import reach
from app.metrics.families import CLAIM_SENDS, CONSOLE_PAUSED
from app.porch.claims import ClaimPlan, ClaimState, GameServer, QueuedClaim
from app.porch.errors import DatabaseUnavailable, RefusedClaim
from app.reporting.circuit_breaker import Circuit, CircuitBreaker

log = structlog.get_logger()

DUTY = 15_000  # ms for which one process has a console to itself, unless it says so again
LOOK_EVERY = 5.0  # seconds between looks at who waits, what is late, and what is unknown
EACH = 16  # claims leased for each connection
MARGIN = 5.0  # seconds of a send's lease that are left to note its end
SHORTEST_WAIT, LONGEST_WAIT = 60_000, 3_600_000  # ms until one who was not there is tried again


@dataclass(slots=True)
class Task:
    """A claim to be sent, and how."""

    row: Any
    claim: QueuedClaim
    plan: ClaimPlan


@dataclass(slots=True)
class Round:
    """What one round has to send, and what it found out on the way."""

    tasks: "queue.SimpleQueue[Task]" = field(default_factory=queue.SimpleQueue)
    is_off: threading.Event = field(default_factory=threading.Event)  # nobody is there


class Console:
    """Delivers the claims of one console, one process at a time."""

    def __init__(
        self, server: GameServer, database: Database, courier: Courier, notes: Notes, now: Clock,
        stopping: threading.Event,
    ) -> None:  # fmt: skip
        self.name = describe(server)
        self.is_busy = False
        self._server = server
        self._courier = courier
        self._notes = notes
        self._now = now
        self._stopping = stopping
        self._rows = ClaimRows(database, server.servers)
        self._decider = Decider(self._rows, courier, self.name, now)
        self._duty = NamedLease(database, f"console {self.name}"[:64], now, DUTY)
        self._held_until = self._next_look = 0.0  # monotonic
        self._breaker = CircuitBreaker(now.ticks, 1)
        self._pool = ThreadPoolExecutor(server.connections, f"console-{server.name}")
        self._log = log.bind(console=self.name)

    def stop(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False)
        with suppress(DatabaseUnavailable, PeeweeException):  # else it runs out
            if self._held_until:
                self._duty.let_go()

    def serve(self, is_look: bool = False) -> bool:
        """Deliver what is due; True if there may be more. `is_look`: look at all else now, too."""
        if self._breaker.circuit is Circuit.OPEN or not self._hold_duty():
            return False
        now = self._now()
        if is_look or time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_EVERY
            self._look(now)
        if not self._rows.has_ready(now):
            return False
        is_trial = self._breaker.circuit is Circuit.HALF_OPEN
        most = 1 if is_trial else EACH * self._server.connections
        rows = self._rows.lease(most, now)
        return self._deliver(rows) and len(rows) == most

    def _hold_duty(self) -> bool:
        if time.monotonic() > self._held_until:
            if not self._duty.hold():
                self._held_until = 0.0
                return False
            self._held_until = time.monotonic() + DUTY / 3000
        return True

    def _look(self, now: int) -> None:
        """What is late, what is unknown, what has expired; and who of those that wait is back."""
        if count := self._rows.take_back_late(now, self._now.find_running(max(LEASE, SENDING))):
            self._log.error("claims unknown", claims=count, reason="cut off while they were sent")
        self._decider.decide()
        if self._server.expires is not None:
            why = "it was not delivered in the time that its server gives it"
            self._rows.expire(now - int(self._server.expires * 1000), why)
        if self._rows.has_waiting(now):
            online = self._ask_who_is_there()
            if online is not False:
                self._rows.wake(now, lambda name: online is None or name.casefold() in online)

    def _ask_who_is_there(self) -> "frozenset[str] | Any | None":
        """The names; None where the server does not know, False where it gave no answer."""
        try:
            return self._courier.list_online()
        except Exception as error:
            self._pause(f"who is there is not known: {error}")
            return False

    def _deliver(self, rows: Sequence[Claim]) -> bool:
        """Send these leased claims, and wait for it; whether somebody was there to take them."""
        if not rows:
            return True
        token, tasks, asked, online = rows[0].lease_token, list(self._plan(rows)), False, None
        if any(task.plan.needs_player for task in tasks):
            online, asked = self._ask_who_is_there(), True
        if asked and online is False:
            self._rows.change_leased([t.row.id for t in tasks], token, ClaimState.READY)
            return False
        one_round = Round()
        away = []
        for task in tasks:
            is_there = online is None or task.claim.nickname.casefold() in online
            if is_there or not task.plan.needs_player:
                one_round.tasks.put(task)
            else:
                away.append(task.row.id)
        if away:
            why = "its player is not there"
            self._rows.change_leased(away, token, ClaimState.WAITS, last_error=why, retry_at=0)
        self._run(one_round)
        left = [task.row.id for task in drain(one_round.tasks)]
        self._rows.change_leased(left, token, ClaimState.READY)
        return not one_round.is_off.is_set()

    def _plan(self, rows: Iterable[Claim]) -> Iterable[Task]:
        """What can be sent of these; the rest is refused, or unknown, and nothing of it leaves."""
        for row in rows:
            one: Any = row
            claim = read_row(row)
            if one.takes:  # a game server had it: it may have given it out
                self._leave(one, ClaimState.UNKNOWN, POLLED)
                continue
            try:
                yield Task(row, claim, self._courier.plan(claim))
            except RefusedClaim as refused:
                self._leave(one, ClaimState.REFUSED, str(refused))

    def _leave(self, row: Any, state: ClaimState, why: str) -> None:
        told = {"last_error": why[:500], "console": self.name, "retry_at": 0}
        self._rows.change_leased([row.id], row.lease_token, state, **told)
        self._log.error("claim not sent", claim=row.id, state=state, reason=why)

    def _run(self, one_round: Round) -> None:
        """As many at once as there are connections."""
        count = min(self._server.connections, one_round.tasks.qsize())
        futures = [self._pool.submit(self._work, one_round) for _ in range(count)]
        for future in futures:
            if (error := future.exception()) is not None:
                self._log.error("claims not noted", exc_info=error)  # they are unknown soon

    def _work(self, one_round: Round) -> None:
        """One connection's share: each end is noted with the next beginning, in one commit."""
        ended: Ended | None = None
        try:
            while not (self._stopping.is_set() or one_round.is_off.is_set()):
                try:
                    task = one_round.tasks.get_nowait()
                except queue.Empty:
                    break
                ticks, before, ended = self._now.ticks(), ended, None
                if self._begin(task, before):
                    ended = self._send(task, ticks, one_round)
        finally:
            if ended is not None:
                self._notes.end(ended)

    def _begin(self, task: Task, before: Ended | None) -> bool:
        """Commit that it is being sent; whether it is still ours. Where it fails, nothing leaves."""
        begun = Begun(task.row.id, task.row.lease_token, self._now(), self.name)
        try:
            return self._notes.begin(begun, before)
        except Exception:
            if before is not None:
                self._notes.end(before)
            raise

    def _send(self, task: Task, ticks: int, one_round: Round) -> Ended:
        def count_left() -> float:
            return (SENDING - (self._now.ticks() - ticks)) / 1000 - MARGIN

        task.claim = read_sent(task.claim)
        sent = self._courier.send(task.claim, task.plan, count_left)
        reach("console: answered, not noted")
        if sent.is_unsent:
            one_round.is_off.set()
            self._pause(sent.why)
        else:
            self._go_on()
        self._tell(task, sent)
        return self._make_end(task, sent)

    def _make_end(self, task: Task, sent: Sent) -> Ended:
        now, row = self._now(), task.row
        retry_at = 0
        if sent.retry_in is not None:
            retry_at = now + int(sent.retry_in * 1000)
        elif sent.state is ClaimState.WAITS:
            age = (now - task.claim.created_at) // 4
            retry_at = now + min(max(age, SHORTEST_WAIT), LONGEST_WAIT)
        return Ended(
            row.id, row.lease_token, sent.state, now, retry_at, sent.why, sent.answer,
            sent.is_unsent,
        )  # fmt: skip

    def _pause(self, why: str) -> None:
        """Nobody is there: the circuit opens."""
        if pause := self._breaker.note_failure():
            CONSOLE_PAUSED[self.name].set(1)
            self._log.warning("circuit open", seconds=pause, reason=why)

    def _go_on(self) -> None:
        if self._breaker.note_success():
            CONSOLE_PAUSED[self.name].set(0)
            self._log.info("circuit closed")

    def _tell(self, task: Task, sent: Sent) -> None:
        result = "unsent" if sent.is_unsent else str(sent.state)
        CLAIM_SENDS[self.name, result].inc()
        told = self._log.bind(claim=task.claim.id, sends=task.claim.sends)
        if sent.state is ClaimState.DONE:
            told.info("claim delivered")
        elif sent.state is ClaimState.WAITS or sent.is_unsent:
            told.warning("claim waits", reason=sent.why)
        else:
            told.error(f"claim {sent.state}", reason=sent.why, answer=sent.answer)


def read_sent(claim: QueuedClaim) -> QueuedClaim:
    """The claim as it is while it is sent, this send included."""
    return QueuedClaim(
        claim.id, claim.server_id, claim.nickname, claim.event_type, claim.event_id, claim.payload,
        claim.created_at, claim.sends + 1,
    )  # fmt: skip


def drain(tasks: "queue.SimpleQueue[Task]") -> Iterable[Task]:
    while True:
        try:
            yield tasks.get_nowait()
        except queue.Empty:
            return
