"""What people did: who, when, what, of what, to how many. A row for each, for ever."""

import secrets
from dataclasses import dataclass
from typing import Any

from app.database.act_models import Act
from app.database.chunks import ROWS_AT_ONCE
from app.database.opening import Database
from app.database.states import BoxState
from app.history.pages import HIGHEST, Page, read_number
from app.history.states import ActState
from app.porch.errors import GuerdonError
from app.porch.text import format_time

PLANNED, BEGUN, STOPPED = "planned", "begun", "stopped"  # beside those of a box
LONGEST_NAME = 255  # characters
LONGEST_REASON = 500
STATES = {
    PLANNED: ActState.PLANNED,
    BEGUN: ActState.RUNNING,
    BoxState.READY: ActState.RUNNING,
    BoxState.LEASED: ActState.RUNNING,
    BoxState.DONE: ActState.DONE,
    STOPPED: ActState.STOPPED,
    BoxState.DEAD: ActState.FAILED,
}


@dataclass(frozen=True, slots=True)
class ActRecord:
    """One act as it is now. Times in ms; `oldest` and `ceiling` are of the rows it is about.

    Of `number` rows `passed` are behind it, and to `done` of them it was done: the others were no longer
    so. `about` is the text of a filter, or names one thing; a person may have given a `reason`.
    """

    id: int
    what: str
    person: str
    about: str
    reason: str
    state: ActState
    number: int
    passed: int
    done: int
    oldest: int | None
    ceiling: int | None
    planned_at: int
    started_at: int | None
    ended_at: int | None
    error: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done by it."""
        return self.state in (ActState.DONE, ActState.STOPPED, ActState.FAILED)

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        times = {name: format_time(getattr(self, name)) for name in
                 ("oldest", "planned_at", "started_at", "ended_at")}  # fmt: skip
        return {
            "id": self.id, "what": self.what, "person": self.person, "about": self.about,
            "reason": self.reason or None, "state": self.state, "number": self.number,
            "passed": self.passed, "done": self.done, "ceiling": self.ceiling, **times,
            "error": self.error or None,
        }  # fmt: skip


def make_record(row: Act) -> ActRecord:
    # Any: the stubs know fields, not the values they hold.
    one: Any = row
    state = STATES[one.state]
    if one.state == BoxState.READY and not one.place:
        state = ActState.WAITING
    is_whole = one.state in (BoxState.DONE, BEGUN) or one.place * ROWS_AT_ONCE > one.number
    return ActRecord(
        one.id, one.what, one.person, one.about, one.reason, state, one.number,
        one.number if is_whole and one.state != BEGUN else one.place * ROWS_AT_ONCE, one.done,
        one.oldest, one.ceiling, one.planned_at, one.started_at, one.ended_at, one.error,
    )  # fmt: skip


def find_act(database: Database, id: int) -> ActRecord | None:
    """The act of this id, also one that is only planned; None where there is none."""
    row = database.read(lambda: Act.get_or_none(Act.id == id)) if 0 < id < HIGHEST else None
    return make_record(row) if row else None


def list_acts(database: Database, before: str | None = None, limit: int = 50) -> Page[ActRecord]:
    """A page of acts that were begun, the latest first; `before`: `next` of the page before it."""
    query = Act.select().where(Act.state != PLANNED, Act.id < read_number(before))
    rows = database.read(lambda: list(query.order_by(Act.id.desc()).limit(limit + 1)))
    next = str(rows[limit - 1].id) if len(rows) > limit else None
    return Page(tuple(map(make_record, rows[:limit])), next)


def check_words(person: str, reason: str) -> None:
    """Raises GuerdonError for a name, or a reason, that cannot be kept."""
    if not 0 < len(person) <= LONGEST_NAME:
        raise GuerdonError(f"who does it is told in 1 to {LONGEST_NAME} characters")
    if len(reason) > LONGEST_REASON:
        raise GuerdonError(f"the reason has more than {LONGEST_REASON} characters")


def write_act(person: str, what: str, about: str, now: int, reason: str = "", **more: Any) -> int:
    """Inside: a row for an act of this person; its id. `more` are columns that it has otherwise."""
    usual = {
        "state": BoxState.DONE, "number": 0, "place": 0, "done": 0, "planned_at": now,
        "started_at": now, "error": "", "lease_token": secrets.token_hex(16), "lease_until": now,
        "takes": 0,
    }  # fmt: skip
    told = {"person": person, "what": what, "about": about, "reason": reason}
    return int(Act.insert(**usual | told | more).execute())


def note_act(
    database: Database, person: str, what: str, about: str, number: int, now: int, reason: str = ""
) -> int:
    """Keep that a person has done something to so many: `what` in a word or two; the row's id.

    What takes a while is better begun and ended, so that it is kept also where it is cut off.
    """
    check_words(person, reason)
    more = {"number": number, "done": number, "ended_at": now}
    return database.transact(lambda is_retry: write_act(person, what, about, now, reason, **more))


def begin_act(
    database: Database, person: str, what: str, about: str, number: int, now: int, reason: str = ""
) -> int:
    """Keep that a person begins something to so many, which whoever calls this does himself; its id."""
    check_words(person, reason)
    more = {"number": number, "state": BEGUN}
    return database.transact(lambda is_retry: write_act(person, what, about, now, reason, **more))


def end_act(
    database: Database, id: int, done: int, now: int, error: str = "", number: int | None = None
) -> None:
    """Keep to how many a begun act was done, of `number` where that was not known when it began.

    `error` says what went wrong, if anything.
    """
    database.transact(lambda is_retry: close_acts(Act.id == id, done, now, error, number))


def close_acts(which: Any, done: int, now: int, error: str = "", number: int | None = None) -> None:
    """Inside: end_act for all that were begun of `which`, a condition on acts."""
    state = BoxState.DEAD if error else BoxState.DONE
    changes: dict[str, Any] = {
        "state": state, "done": done, "ended_at": now, "error": error[:LONGEST_REASON]
    }  # fmt: skip
    if number is not None:
        changes["number"] = number
    Act.update(**changes).where(which & (Act.state == BEGUN)).execute()
