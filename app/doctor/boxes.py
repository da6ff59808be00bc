"""What waits: is somebody trying it, since when does the oldest wait, what was given up."""

from collections.abc import Iterator
from typing import Any

from peewee import fn

from app.database.models import Report, Waiting
from app.database.states import ON_THEIR_WAY, BoxState
from app.doctor.findings import Finding, fail, say_ok, warn
from app.guerdon import Guerdon
from app.porch.text import format_time

LATE = 120_000  # ms that something is due and nobody takes it
LONG_WAIT = 900_000  # ms
BOTH = (Waiting, Report)


def check_inbox(guerdon: Guerdon) -> Iterator[Finding]:
    """The dispatcher by what it leaves undone; votes that wait, and those that were given up."""
    with guerdon.database.connection_context():
        yield find_dispatcher(guerdon)
        found = list(judge_box(guerdon, Waiting, "inbox", "events"))
    yield from found or [say_ok("inbox", "nothing waits, nothing is dead")]


def check_reports(guerdon: Guerdon) -> Iterator[Finding]:
    """Reports that wait, and those that were given up."""
    with guerdon.database.connection_context():
        found = list(judge_box(guerdon, Report, "reports", "reports"))
    yield from found or [say_ok("reports", "nothing waits, nothing is dead")]


def find_dispatcher(guerdon: Guerdon) -> Finding:
    """Whether what is due is taken, and until when something was last leased."""
    now = guerdon.now()
    late = [find_least(model.due_at, model.state == BoxState.READY) for model in BOTH]
    overdue = [due for due in late if due and due < now - LATE]
    if overdue and guerdon.config.inbox.retry:
        text = f"nobody tries what is due since {format_time(min(overdue))}"
        here = guerdon.config.dispatcher.in_workers
        return fail("dispatcher", text, "guerdon serve" if here else "guerdon dispatch")
    last = max((find_last_lease(model) for model in BOTH), default=0)
    if not last:
        return say_ok("dispatcher", "nothing is overdue; nothing ever had to wait")
    return say_ok("dispatcher", f"nothing is overdue; the last lease ran until {format_time(last)}")


def find_least(column: Any, where: Any) -> int:
    """The smallest of open rows, by their index; 0 where there is none."""
    return int(column.model.select(fn.MIN(column)).where(where).scalar() or 0)


def find_last_lease(model: Any) -> int:
    """When the latest lease of a box ends or ended (ms); each state is one look at its index."""
    ended = (BoxState.LEASED, BoxState.SETTLED, BoxState.DELIVERED, BoxState.DEAD)
    return max(
        int(model.select(fn.MAX(model.lease_until)).where(model.state == state).scalar() or 0)
        for state in ended
    )


def judge_box(guerdon: Guerdon, model: Any, about: str, things: str) -> Iterator[Finding]:
    """What waits and what is dead; only open rows are counted."""
    waiting = model.select(fn.COUNT(model.id)).where(model.state << ON_THEIR_WAY).scalar()
    if waiting:
        oldest = min(
            since
            for state in ON_THEIR_WAY
            if (since := find_least(model.waiting_since, model.state == state))
        )
        said = f"{things} wait" if waiting > 1 else f"{things.removesuffix('s')} waits"
        text = f"{waiting:,} {said}, the oldest since {format_time(oldest)}"
        if guerdon.now() - oldest > LONG_WAIT:
            yield warn(about, text, f"guerdon {things} list   (says why)")
        else:
            yield say_ok(about, text)
    dead = model.select(fn.COUNT(model.id)).where(model.state == BoxState.DEAD).scalar()
    if dead:
        how = "--dead" if model is Waiting else "--reporter NAME"
        remedy = f"guerdon {things} list --state dead; then: guerdon {things} retry {how}"
        said = f"{things} were" if dead > 1 else f"{things.removesuffix('s')} was"
        yield warn(about, f"{dead:,} {said} given up", remedy)
