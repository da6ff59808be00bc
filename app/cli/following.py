"""Acts as a command has them done: it does them itself where nobody does, and shows how far they are."""

import sys
import time

import click

from app.history.acts import ActRecord
from app.history.filters import EventFilter, ReportFilter
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
            count += follow_act(acts, acts.start(plan.id).id).done
        if plan.is_whole:
            return count


def follow_act(acts: Acts, id: int) -> ActRecord:
    """Until an act is over: the lease decides whether it goes on here or where a dispatcher runs.

    Ctrl-C leaves it to the dispatchers. Raises GuerdonError where it failed, or somebody stopped it.
    """
    try:
        act = show_act(acts, id)
    except KeyboardInterrupt:
        tell(
            f"act {id} goes on where a dispatcher runs: `guerdon acts stop {id}` ends it", err=True
        )
        raise
    if act.error:
        raise GuerdonError(f"act {id} failed after {act.done:,} of {act.number:,}: {act.error}")
    if act.done < act.number and act.passed < act.number:
        raise GuerdonError(f"act {id} was stopped: {act.done:,} of {act.number:,} are done")
    return act


def show_act(acts: Acts, id: int) -> ActRecord:
    act = read_act(acts, id)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=act.number, file=sys.stderr, hidden=hidden) as bar:
        while not act.is_over:
            if not acts.runner.run_turn():
                time.sleep(LOOK_EVERY)
            before, act = act, read_act(acts, id)
            bar.update(act.passed - before.passed)
    return act


def read_act(acts: Acts, id: int) -> ActRecord:
    act = acts.find(id)
    if act is None:
        raise GuerdonError(f"there is no act {id}")
    return act
