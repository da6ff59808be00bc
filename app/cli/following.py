"""Acts as a command has them done: it does them itself where nobody does, and shows how far they are."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.history.acts import ActRecord
from app.history.filters import EventFilter, ReportFilter
from app.history.states import ActState
from app.porch.errors import GuerdonError
from app.terminal import tell
from app.upkeep.acts import Acts

LOOK_EVERY = 0.1  # seconds, while another has it in hand


def have_done(acts: Acts, chosen: EventFilter | ReportFilter, person: str) -> int:
    """Have all that this filter means tried again; to how many that was done."""
    count = 0
    while True:
        plan = acts.plan_act(chosen, person)
        if plan.count:
            count += do_plan(acts, plan.id).done
        if plan.is_whole:
            return count


def do_plan(acts: Acts, id: int) -> ActRecord:
    """Start a plan and stay until it is over: the lease decides whether it is done here or elsewhere.

    Ctrl-C leaves it to the dispatchers. Raises GuerdonError where it failed, or somebody stopped it.
    """
    with hear_interrupts() as interrupts:
        act = acts.start(id)
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=act.number, file=sys.stderr, hidden=hidden) as bar:
            while not act.is_over and not interrupts:
                if not acts.runner.run_turn():
                    time.sleep(LOOK_EVERY)
                before, act = act, acts.find(id) or act
                bar.update(act.passed - before.passed)
    if not act.is_over:
        tell(
            f"act {id} goes on where a dispatcher runs: `guerdon acts stop {id}` ends it", err=True
        )
        raise click.Abort
    if act.state != ActState.DONE:
        why = f": {act.error}" if act.error else ""
        raise GuerdonError(f"act {id} is {act.state} after {act.done:,} of {act.number:,}{why}")
    return act


@contextmanager
def hear_interrupts() -> Iterator[list[int]]:
    """Ctrl-C within is only noted: an exception may be lost in what a driver cleans up."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)
