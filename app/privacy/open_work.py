"""What of a player is still under way: nobody is erased meanwhile, unless it is ended by name first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.database.claim_models import Claim
from app.database.models import Report, Waiting
from app.database.opening import Database
from app.database.states import CLAIMS_OPEN, ON_THEIR_WAY, BoxState
from app.porch.claims import ClaimState
from app.privacy.rewriting import Rewriter
from app.privacy.searching import Found

CANCELLED = "cancelled, for its player was erased"
AT_ONCE = 500  # ids in one question


@dataclass(frozen=True, slots=True)
class OpenWork:
    """One thing under way, in words; `why_not`: why it cannot be cancelled, if it cannot."""

    box: str
    id: int
    said: str
    why_not: str = ""


def list_open_work(database: Database, found: Found, now: int) -> list[OpenWork]:
    """What of the rows found is under way at this time (ms)."""
    return database.read(lambda: [
        *list_deliveries(found, now), *list_reports(found, now), *list_claims(found, now),
    ])  # fmt: skip


def list_deliveries(found: Found, now: int) -> Iterator[OpenWork]:
    for row in select(Waiting, Waiting.id, [*found.inbox, *found.rounds]):
        why = find_holder(row, now)
        if row.id in found.rounds:
            why = "it is of others too: have it settled first"
        yield OpenWork("delivery", row.id, f"{row.type} {row.event_id} waits to be paid", why)


def list_reports(found: Found, now: int) -> Iterator[OpenWork]:
    for row in select(Report, Report.event, [*found.events, *found.mentions]):
        why = find_holder(row, now)
        if row.event in found.mentions:
            why = "it is about others too: have it sent first"
        yield OpenWork("report", row.id, f"report {row.id} to {row.reporter} is not sent", why)


def list_claims(found: Found, now: int) -> Iterator[OpenWork]:
    for row in select(Claim, Claim.id, found.claims):
        said = f"claim {row.id} for its game server {row.server_id} is {row.state}"
        yield OpenWork("claim", row.id, said, find_holder(row, now) if row.sends else "")


def select(model: Any, column: Any, ids: Sequence[int]) -> Iterator[Any]:
    """The rows of a box that are on their way."""
    for start in range(0, len(ids), AT_ONCE):
        states = CLAIMS_OPEN if model is Claim else ON_THEIR_WAY
        some = (column << list(ids[start : start + AT_ONCE])) & (model.state << list(states))
        yield from model.select().where(some).order_by(model.id)


def find_holder(row: Any, now: int) -> str:
    is_held = row.state in (BoxState.LEASED, ClaimState.SENDING) and row.lease_until >= now
    return "somebody is at it just now: try again in a minute" if is_held else ""


def cancel(
    work: Sequence[OpenWork], rewriter: Rewriter, now: int, note: Callable[[OpenWork], None]
) -> int:
    """Inside: end what can be ended, as it stands; how many. `note` is told of each."""
    count = 0
    for one in work:
        if one.why_not:
            continue
        note(one)
        if one.box == "delivery":
            is_ended = bool(rewriter.drop_waiting([one.id], ON_THEIR_WAY)["inbox"])
        else:
            is_ended = bool(end_row(Report if one.box == "report" else Claim, one.id, now))
        count += is_ended
    return count


def end_row(model: Any, id: int, now: int) -> int:
    """A report or claim that is still on its way is dead from now on; nobody's lease ends otherwise."""
    states = CLAIMS_OPEN if model is Claim else ON_THEIR_WAY
    on_its_way = (model.id == id) & (model.state << list(states))
    if model is Report:  # a claim may be with its game server, and is refused when that is done
        on_its_way &= (model.state == BoxState.READY) | (model.lease_until < now)
    else:
        on_its_way &= (model.state != ClaimState.SENDING) | (model.lease_until < now)
    changes = {"state": BoxState.DEAD, "lease_token": ""}
    if model is Report:
        changes["last_error"] = CANCELLED
    return int(model.update(**changes).where(on_its_way).execute())
