"""Claims as people see them, and what a person decides about one of which nobody else knows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from app.database.claim_models import Claim
from app.database.opening import Database
from app.history.acts import check_words, write_act
from app.history.pages import Conditions, Page, list_open_ids, read_number
from app.porch.claims import ClaimState
from app.porch.errors import GuerdonError
from app.porch.text import format_time

TO_DECIDE = (ClaimState.UNKNOWN, ClaimState.REFUSED, ClaimState.WAITS)
OPEN = tuple(one for one in ClaimState if one not in (ClaimState.DONE, ClaimState.DEAD))


class Verdict(StrEnum):
    """What a person says of a claim."""

    GIVEN = "given"  # its player has it
    AGAIN = "again"  # he has not: it is delivered again


@dataclass(frozen=True, slots=True)
class ListedClaim:
    """A claim as it is now. Times in ms."""

    id: int
    state: ClaimState
    server_id: str
    nickname: str
    event_type: str
    event_id: str
    payload: Any
    console: str
    sends: int
    created_at: int
    sent_at: int | None
    done_at: int | None
    last_error: str
    answer: str | None
    can_decide: bool = False

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        times = {
            name: format_time(getattr(self, name)) for name in ("created_at", "sent_at", "done_at")
        }
        return asdict(self) | times


def list_claims(
    database: Database, states: Sequence[ClaimState], now: int, before: str | None = None,
    limit: int = 50,
) -> Page[ListedClaim]:  # fmt: skip
    """A page of the claims of these states, the latest first; `before`: `next` of the page before it."""
    rows = database.read(lambda: find_rows(database, states, read_number(before), limit))
    next = str(rows[limit - 1].id) if len(rows) > limit else None
    return Page(tuple(make_listed(row, now) for row in rows[:limit]), next)


def find_rows(
    database: Database, states: Sequence[ClaimState], before: int, limit: int
) -> list[Claim]:
    """The latest, and one more where there are more: by the index of states, unless most are of them."""
    some = Claim.id < before
    if ClaimState.DONE in states:
        some &= Claim.state << list(states)
    else:
        wanted = Conditions(database).among("state", [str(state) for state in states])
        some = Claim.id << list_open_ids(database, "guerdon_claims", wanted, before, limit)
    return list(Claim.select().where(some).order_by(Claim.id.desc()).limit(limit + 1))


def make_listed(row: Claim, now: int) -> ListedClaim:
    one: Any = row
    is_late = one.state == ClaimState.SENDING and one.lease_until < now
    return ListedClaim(
        one.id, ClaimState(one.state), one.server_id, one.nickname, one.event_type, one.event_id,
        json.loads(one.payload), one.console, one.sends, one.created_at, one.sent_at, one.done_at,
        one.last_error, one.answer, one.state in TO_DECIDE or is_late,
    )  # fmt: skip


def resolve_claim(database: Database, id: int, verdict: Verdict, person: str, now: int) -> None:
    """A person decides; who and what is kept. Raises GuerdonError where there is nothing to decide."""
    check_words(person, "")
    late = (Claim.state == ClaimState.SENDING) & (Claim.lease_until < now)
    can_decide = (Claim.id == id) & ((Claim.state << list(TO_DECIDE)) | late)
    # Without its token, no end of an earlier send that comes late says otherwise.
    changes: dict[str, Any] = {"lease_token": "", "retry_at": 0, "takes": 0}
    if verdict is Verdict.GIVEN:
        changes |= {"state": ClaimState.DONE, "done_at": now}
    else:
        changes |= {"state": ClaimState.READY, "last_error": ""}

    def decide(is_retry: bool) -> bool:
        if not Claim.update(**changes).where(can_decide).execute():
            decided = (
                (Claim.id == id) & (Claim.state == changes["state"]) & (Claim.lease_token == "")
            )
            return is_retry and bool(Claim.select().where(decided).exists())
        what, about = f"claim {verdict}", f"claim {id}"
        write_act(person, what, about, now, number=1, done=1, ended_at=now)
        return True

    if not database.transact(decide):
        row = database.read(lambda: Claim.get_or_none(Claim.id == id))
        if row is None:
            raise GuerdonError(f"there is no claim {id}")
        raise GuerdonError(f"claim {id} is {row.state}: there is nothing to decide")
