"""Bulk retries, from the plan to the end, and single ones: each is kept with the person who had it done."""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from app.database.act_models import Act, ActChunk
from app.database.clock import make_clock
from app.database.models import Waiting
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.history import acts as records
from app.history.acts import PLANNED, STOPPED, ActRecord, check_words, write_act
from app.history.filters import EventFilter, ReportFilter
from app.history.pages import Page
from app.history.reports import revive_rows
from app.paying.inbox import Inbox
from app.porch.errors import GuerdonError
from app.upkeep.planning import LASTS, Plan, make_plan
from app.upkeep.running import Runner
from app.upkeep.sampling import Sample, read_sample

RETRY_EVENT, RETRY_REPORT, STOP_ACT = "retry event", "retry report", "stop act"
BOTH = (BoxState.DEAD, BoxState.READY)


class Acts:
    """What a person may have done to what waits or is dead; `runner` does it."""

    def __init__(self, database: Database, inbox: Inbox, now: Callable[[], int]) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._inbox = inbox
        self._now = make_clock(now)
        self.runner = Runner(database, inbox, self._now)

    def plan_act(
        self,
        chosen: EventFilter | ReportFilter,
        person: str,
        reason: str = "",
        limit: int | None = None,
    ) -> Plan:
        """Count what this filter means now, and keep which rows these are; nothing is done to them yet.

        `limit`: at most so many, the first that came. Raises BadFilter for what is not tried again.
        """
        return make_plan(self._database, chosen, person, self._now(), reason, limit)

    def start(self, plan: int) -> ActRecord:
        """Have the plan of this id done in the background; one that was started already goes on.

        Raises GuerdonError where there is none, or it is more than an hour old, or of no row.
        """
        now = self._now()
        startable = (Act.id == plan) & (Act.state == PLANNED) & (Act.planned_at >= now - LASTS)
        changes = {"state": BoxState.READY, "started_at": now, "lease_until": now}
        starting = Act.update(**changes).where(startable & (Act.number > 0))
        self._database.transact(lambda is_retry: starting.execute())
        act = self.find(plan)
        if act is None or act.started_at is None:
            is_empty = act is not None and not act.number
            why = (
                "is of no row" if is_empty else "is not there, or more than an hour old: plan again"
            )
            raise GuerdonError(f"the plan {plan} {why}")
        return act

    def stop(self, id: int, person: str) -> ActRecord:
        """Have an act end where it is; what it has done stays done. GuerdonError where it cannot be."""
        check_words(person, "")
        now = self._now()
        running = (Act.id == id) & (Act.state << [PLANNED, *ON_THEIR_WAY])

        def stop(is_retry: bool) -> None:
            if Act.update(state=STOPPED, ended_at=now).where(running).execute():
                ActChunk.delete().where(ActChunk.act == id).execute()
                write_act(person, STOP_ACT, str(id), now, number=1, done=1, ended_at=now)

        self._database.transact(stop)
        act = self.find(id)
        if act is None:
            raise GuerdonError(f"there is no act {id}")
        if act.state != STOPPED:
            raise GuerdonError(f"act {id} cannot be stopped: it is {act.state}")
        return act

    def find(self, id: int) -> ActRecord | None:
        """The act, or plan, of this id; None where there is none."""
        return records.find_act(self._database, id)

    def sample(self, act: ActRecord) -> Sample:
        """Some of the rows that this plan, or act under way, is of."""
        return read_sample(self._database, act)

    def list_acts(self, before: str | None = None, limit: int = 50) -> Page[ActRecord]:
        """A page of what people did, the latest first."""
        return records.list_acts(self._database, before, limit)

    def retry_event(self, keys: Sequence[bytes], about: str, person: str) -> int:
        """Have the events of these keys tried again at once, dead or waiting; how many there were.

        `about` says which event it is.
        """

        def revive() -> int:
            rows: Any = Waiting.select(Waiting.id).where(Waiting.ordered_key << list(keys)).tuples()
            return self._inbox.revive_rows(BOTH, [row[0] for row in rows])

        return self._note(revive, RETRY_EVENT, about, person)

    def retry_report(self, id: int, person: str) -> int:
        """Have this report sent again at once, dead or waiting; 0 where it is neither."""
        revive = partial(revive_rows, BOTH, self._now(), [id])
        return self._note(revive, RETRY_REPORT, str(id), person)

    def _note(self, revive: Callable[[], int], what: str, about: str, person: str) -> int:
        """In one commit: what is done, and who had it done."""
        check_words(person, "")
        token = secrets.token_hex(16)

        def act(is_retry: bool) -> int:
            before: Any = Act.get_or_none(Act.lease_token == token) if is_retry else None
            if before is not None:
                return int(before.done)  # the reply to an earlier COMMIT of ours was lost
            now, done = self._now(), revive()
            if done:
                more: dict[str, Any] = {
                    "number": done,
                    "done": done,
                    "ended_at": now,
                    "lease_token": token,
                }
                write_act(person, what, about, now, **more)
            return done

        return self._database.transact(act)
