"""When a report is sent again: pure functions of a reporter's Schedule."""

import math
import random
from typing import Any

from app.porch.types import Schedule

SHORTEST_PAUSE = 1.0  # seconds, of those that a platform wants
LONGEST_PAUSE = 30 * 86400.0
LARGEST = 1e12  # seconds: more is a slip


def is_schedule(value: Any) -> bool:
    """Whether this is a Schedule whose numbers are numbers."""
    if not isinstance(value, Schedule) or not isinstance(value.delays, list | tuple | None):
        return False
    numbers = [value.first, value.longest, value.give_up_after, *(value.delays or ())]
    if not all(isinstance(one, int | float) and abs(one) <= LARGEST for one in numbers):
        return False
    return value.at_once is None or isinstance(value.at_once, int)


def choose_pause(schedule: Schedule, sends: int) -> float | None:
    """Seconds between the send of this number and the next, not jittered; None: there is no next."""
    if schedule.delays is None:
        pause = min(schedule.first * 2.0 ** min(sends - 1, 60), schedule.longest)
    elif sends <= len(schedule.delays):
        pause = schedule.delays[sends - 1]
    else:
        return None
    return min(max(0.0, pause), LONGEST_PAUSE)


def choose_due(
    schedule: Schedule, sends: int, waiting_since: int, now: int, wanted: float | None = None
) -> int | None:
    """When to send again after `sends` sends, the latest of which just failed; None: give up.

    Times are in ms. `wanted` (seconds) replaces the schedule's pause, within reason: no sooner than a
    second from now, and no later than the time to give up, which gets a last send.
    """
    pause = choose_pause(schedule, sends)
    if pause is None:
        return None
    left = LONGEST_PAUSE * 1000  # ms, exact: a send may not be due before it can give up
    if schedule.delays is None:
        left = min(left, schedule.give_up_after * 1000 - (now - waiting_since))
        if left < 1:
            return None
        pause = min(pause * random.uniform(0.8, 1.2), schedule.longest)
    if isinstance(wanted, int | float) and math.isfinite(wanted):
        pause = max(wanted, SHORTEST_PAUSE)
    return now + int(min(max(pause, 0.0) * 1000, left))
