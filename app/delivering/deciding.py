"""What becomes of claims of which nobody knows whether they were given out, as each one's plan says."""

from typing import Any

import structlog

from app.database.claim_models import Claim
from app.database.clock import Clock
from app.delivering.courier import Courier, read_row
from app.delivering.store import NEVER, ClaimRows
from app.porch.claims import ClaimPlan, ClaimState, IfUnknown
from app.porch.errors import RefusedClaim

log = structlog.get_logger()

AT_ONCE = 100
CHECK_AGAIN = 60_000  # ms after a check that told nothing
SHORTEST_PAUSE, LONGEST_PAUSE = 5_000, 3_600_000  # ms between sends; the first comes at once


class Decider:
    """Decides for one console. What is left to a person is looked at once."""

    def __init__(self, rows: ClaimRows, courier: Courier, console: str, now: Clock) -> None:
        self._rows = rows
        self._courier = courier
        self._now = now
        self._log = log.bind(console=console)

    def decide(self) -> None:
        """Go through those that nobody has decided about."""
        for row in self._rows.list_unknown(self._now(), AT_ONCE):
            plan = self._plan(row)
            match plan.if_unknown if plan else IfUnknown.ASK:
                case IfUnknown.AGAIN:
                    self._end(row, ClaimState.READY, "sent again: nobody knew whether it was given")
                case IfUnknown.CHECK if plan:
                    self._check(row, plan)
                case _:
                    self._rows.decide_unknown(row, ClaimState.UNKNOWN, retry_at=NEVER)

    def _plan(self, row: Claim) -> ClaimPlan | None:
        try:
            return self._courier.plan(read_row(row))
        except RefusedClaim:
            return None

    def _check(self, row: Claim, plan: ClaimPlan) -> None:
        """Ask the game; what it does not say is asked again later."""
        match self._courier.check(read_row(row), plan):
            case True:
                self._end(row, ClaimState.DONE, "", done_at=self._now())
            case False:
                self._end(row, ClaimState.READY, "sent again: its check said that it was not given")
            case _:
                later = self._now() + CHECK_AGAIN
                self._rows.decide_unknown(row, ClaimState.UNKNOWN, retry_at=later)

    def _end(self, row: Claim, state: ClaimState, why: str, **more: Any) -> None:
        one: Any = row
        pause = min(SHORTEST_PAUSE << min(one.sends - 1, 20), LONGEST_PAUSE) if one.sends > 1 else 0
        changes = {"takes": 0, "retry_at": self._now() + pause, "last_error": why, **more}
        if self._rows.decide_unknown(row, state, **changes):
            self._log.warning("unknown claim decided", claim=one.id, state=state, reason=why)
