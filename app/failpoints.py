"""Named points at which a process is killed, so that tests see what it leaves behind.

GUERDON_CRASH_POINTS, read once, names a folder: whoever first reaches a point that a file there is
named after takes that file away and dies as by kill -9. Without it a point is a call that does nothing.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

VARIABLE = "GUERDON_CRASH_POINTS"
POINTS = (
    "delivery: verified",
    "delivery: looked",
    "network: asked, answer unread",
    "delivery: fetched",
    "settling: began",
    "settling: players found",
    "settling: events inserted",
    "settling: rewards given",
    "settling: rewards written",
    "settling: grants inserted",
    "settling: reports inserted",
    "counting: made anew",
    "counting: written",
    "settling: before COMMIT",
    "settling: after COMMIT",
    "delivery: before the answer",
    "party: handed over",
    "party: before COMMIT",
    "ranking: before COMMIT",
    "own deliveries: put, after COMMIT",
    "own deliveries: paid, not noted",
    "inbox: parked, before COMMIT",
    "inbox: parked, after COMMIT",
    "inbox: closed, before COMMIT",
    "inbox: closed, after COMMIT",
    "inbox: leased, before COMMIT",
    "inbox: leased, after COMMIT",
    "inbox: tried, not noted",
    "inbox: noted, before COMMIT",
    "inbox: noted, after COMMIT",
    "reconciling: listed",
    "reconciling: parked, before COMMIT",
    "reconciling: parked, after COMMIT",
    "polling: kept, before COMMIT",
    "polling: kept, after COMMIT",
    "event: checked",
    "event: before the answer",
    "outbox: begun, before COMMIT",
    "outbox: begun, after COMMIT",
    "sending: before the bytes leave",
    "sending: answered, not recorded",
    "recording: before COMMIT",
    "recording: after COMMIT",
    "act: leased, after COMMIT",
    "act: chunk passed, before COMMIT",
    "act: chunk passed, after COMMIT",
    "claims: leased, before COMMIT",
    "claims: leased, after COMMIT",
    "claims: acknowledged, before COMMIT",
    "claims: acknowledged, after COMMIT",
    "console: leased, before COMMIT",
    "console: leased, after COMMIT",
    "console: sending, before COMMIT",
    "console: sending, after COMMIT",
    "console: answered, not noted",
    "console: noted, before COMMIT",
    "console: noted, after COMMIT",
    "console: late ones unknown, before COMMIT",
    "numbers: before COMMIT",
    "numbers: added, before COMMIT",
    "erasing: begun",
    "erasing: chunk, before COMMIT",
    "erasing: chunk, after COMMIT",
    "retention: before COMMIT",
)


def pass_by(point: str) -> None:
    """What a point is without the variable."""


def make_reach(folder: str) -> Callable[[str], None]:
    """What a point is with the variable set to `folder`."""
    # Who has said so dies before another thread takes the next point's file away.
    dying = threading.Lock()

    def reach(point: str) -> None:
        with dying:
            try:
                os.unlink(os.path.join(folder, point))
            except OSError:  # not this one, or another process was first
                return
            os.write(2, f"killed at a crash point: {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def list_crash_faults(folder: str) -> list[str]:
    """Why the variable cannot be `folder`; [] where it is not set."""
    if not folder:
        return []
    if not Path(folder).is_dir():
        return [f"{VARIABLE}: {folder} is no folder"]
    unknown = sorted(path.name for path in Path(folder).iterdir() if path.name not in POINTS)
    return [
        f"{VARIABLE}: {name!r} is no crash point: app/failpoints.py lists them" for name in unknown
    ]


FOLDER = os.environ.get(VARIABLE, "")
reach: Callable[[str], None] = make_reach(FOLDER) if FOLDER else pass_by
