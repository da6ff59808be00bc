"""Asks plugins about one claim: how it is delivered, to be delivered, whether it was. It never raises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from app.database.claim_models import Claim
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.claims import ClaimPlan, ClaimResult, ClaimState, GameServer, QueuedClaim
from app.porch.errors import GuerdonError, NotSent, RefusedClaim
from app.porch.json import read_json
from app.porch.masking import cut_text, mask_text
from app.porch.text import shorten
from app.porch.types import Http

log = structlog.get_logger()

ANSWER_KEPT = 2048  # bytes
OUTCOMES = (ClaimState.DONE, ClaimState.REFUSED, ClaimState.WAITS, ClaimState.UNKNOWN)
PAUSE = 5.0  # seconds until what was not sent is tried again


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a send; `retry_in` (seconds) where it was not sent at all."""

    state: ClaimState
    why: str = ""
    answer: str | None = None
    retry_in: float | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether no byte of the command can have left."""
        return self.retry_in is not None


class Courier:
    """Speaks for one console to the plugins."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        server: GameServer,
        http: Http,
        secrets: Sequence[str],
    ) -> None:
        """`secrets` are hidden in what is kept of answers."""
        self._database = database
        self._plugins = plugins
        self._server = server
        self._http = http
        self._secrets = secrets
        self._log = log.bind(console=f"{server.plugin}/{server.name}")

    def plan(self, claim: QueuedClaim) -> ClaimPlan:
        """How a claim is delivered. Raises RefusedClaim where it cannot be, as it is."""
        if claim.nickname and not self._server.takes_name(claim.nickname):
            name = shorten(claim.nickname)
            raise RefusedClaim(f"no command may name {name}: `names` of its server does not match")
        try:
            plan = self._ask("plan_claim", claim=claim)
        except RefusedClaim:
            raise
        except Exception as error:
            self._log.error("plan_claim failed", claim=claim.id, exc_info=error)
            raise RefusedClaim(f"plan_claim failed: {type(error).__name__}") from None
        if not isinstance(plan, ClaimPlan):
            raise RefusedClaim(
                "no plugin that is switched on delivers it, or plan_claim gave no plan"
            )
        return plan

    def list_online(self) -> frozenset[str] | None:
        """The names of all who are there, folded; None where the server does not know. May raise."""
        if not self._server.lists_players:
            return None
        names = self._ask("list_online", http=self._http)
        return None if names is None else frozenset(name.casefold() for name in names)

    def send(self, claim: QueuedClaim, plan: ClaimPlan, count_left: Callable[[], float]) -> Sent:
        """Have it delivered. `count_left` says how many seconds are left for that."""
        try:
            result = self._ask(
                "send_claim", claim=claim, plan=plan, http=self._http, seconds_left=count_left
            )
        except NotSent as error:
            pause = error.retry_in if is_seconds(error.retry_in) else PAUSE
            return Sent(ClaimState.READY, self._hide(error.reason), None, pause)
        except (Exception, SystemExit) as error:
            if not isinstance(error, GuerdonError):
                self._log.error("send_claim failed", claim=claim.id, exc_info=error)
            told = str(error) if isinstance(error, GuerdonError) else type(error).__name__
            return Sent(ClaimState.UNKNOWN, self._hide(told))
        if result is None:
            return Sent(ClaimState.READY, "no plugin that is switched on sends it", None, 60.0)
        return self._judge(result)

    def _judge(self, result: Any) -> Sent:
        if not isinstance(result, ClaimResult) or result.state not in OUTCOMES:
            return Sent(ClaimState.UNKNOWN, "send_claim told no outcome")
        answer = cut_text(self._hide(str(result.answer)), ANSWER_KEPT)
        return Sent(ClaimState(result.state), self._hide(str(result.why)), answer)

    def check(self, claim: QueuedClaim, plan: ClaimPlan) -> bool | None:
        """Whether a claim was given out, as the game says; None: still nobody knows."""
        try:
            was_given = self._ask("check_claim", claim=claim, plan=plan, http=self._http)
        except Exception as error:
            self._log.warning("check_claim failed", claim=claim.id, reason=self._hide(str(error)))
            return None
        return was_given if isinstance(was_given, bool) else None

    def _ask(self, hook: str, **more: Any) -> Any:
        """What plugins answer. A console's threads live on: what a hook opens in one does not stay taken."""
        with self._database.give_back():
            ask = getattr(self._plugins.hook, hook)
            return ask(server=self._server, settings=self._plugins.settings, **more)

    def _hide(self, text: str) -> str:
        return mask_text(text.replace("\0", ""), (), self._secrets)


def is_seconds(value: Any) -> bool:
    """Whether a plugin's pause is one: 0 to an hour."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 3600


def read_row(row: Claim) -> QueuedClaim:
    """A claim's row as plugins are given it."""
    one: Any = row
    payload = read_json(one.payload.encode())
    return QueuedClaim(
        one.id, one.server_id, one.nickname, one.event_type, one.event_id,
        payload if isinstance(payload, dict) else {}, one.created_at, one.sends,
    )  # fmt: skip
