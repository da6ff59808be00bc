"""The time that decides: one clock for all hosts of a database, the database's own.

On SQLite that is this host's. A server's is asked now and then, and between by this host's ticks, which
no setting of a clock moves; so no vote waits for the question.
"""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

ASK_EVERY = 5_000  # ms, while somebody wants to know the time
ASK_AGAIN = 1_000  # ms, after no answer, while the time is not known at all
TOLERANCE = 50  # ms: an answer that is off by less says nothing that the network's way does not
ROUNDING = 1  # ms by which two clocks that go alike differ, each cut to whole ms
JUMP = 1_000  # ms: a clock that is off by more was set


def read_wall() -> int:
    """This host's clock, in ms since the epoch; anybody may set it."""
    return time.time_ns() // 1_000_000


def read_ticks() -> int:
    """Ms since some time or other; nobody sets them, and they go on while this host is suspended."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class Clock:
    """Called, it says what time it is, in ms since the epoch."""

    def __init__(
        self,
        read_wall: Callable[[], int] = read_wall,
        read_ticks: Callable[[], int] = read_ticks,
        ask: Callable[[], int | None] | None = None,
    ) -> None:
        """`ask` asks the clock to go by (ms since the epoch; None: no answer); without, it is the wall's."""
        self.ticks = read_ticks
        self._read_wall = read_wall
        self._ask = ask
        self._lead: int | None = None  # ms that its time is ahead of the ticks
        self._before = (0, 0)  # when it was last set forward: that time, and its lead until then
        self._next_ask = 0  # by the ticks
        self._lock = threading.Lock()  # of whoever asks
        self._setting = threading.Lock()

    def __call__(self) -> int:
        if self._ask is None:
            return self._follow_wall()
        ticks = self.ticks()
        if self._lead is None:
            self._refresh(ASK_AGAIN)
            ticks = self.ticks()
        elif ticks >= self._next_ask:
            self._next_ask = ticks + ASK_EVERY
            threading.Thread(target=self._refresh, args=(0,), name="clock", daemon=True).start()
        return self._read_wall() if self._lead is None else ticks + self._lead

    def compare(self) -> int | None:
        """Ms that this host's clock is ahead of the one to go by; None where that gives no answer."""
        self._refresh(0)
        known = self._ask is None or self._lead is not None
        return self._read_wall() - self() if known else None

    def find_running(self, longest: int) -> tuple[int, int]:
        """Ends between which leases still run, though it says they are over: it was set forward.

        `longest` is how long a lease may be, in ms. Both ends are in ms since the epoch.
        """
        self()
        jumped_at, lead = self._before
        return self.ticks() + lead, jumped_at + longest

    def _follow_wall(self) -> int:
        while True:
            ticks, wall = self.ticks(), self._read_wall()
            if self.ticks() - ticks < TOLERANCE:  # nobody stopped us between
                if self._lead is None or abs(wall - ticks - self._lead) > ROUNDING:
                    with self._setting:
                        self._set(wall - ticks, ticks)
                return wall

    def _refresh(self, pause: int) -> None:
        """Ask, where nobody does already and the last question is `pause` ms ago."""
        if self._ask is None or not self._lock.acquire(blocking=False):
            return
        try:
            began = self.ticks()
            if pause and began < self._next_ask:
                return
            told = self._ask()
            ended = self.ticks()
            self._next_ask = ended + (pause if pause and told is None else ASK_EVERY)
            if told is not None and (self._lead is None or ended - began < JUMP):
                with self._setting:
                    self._set(told - (began + ended) // 2, ended)
        finally:
            self._lock.release()

    def _set(self, lead: int, ticks: int) -> None:
        late = 0 if self._lead is None else lead - self._lead
        if abs(late) > JUMP:
            log.warning("the clock was set", seconds=late / 1000)
        if self._lead is not None and late > JUMP:
            self._before = (ticks + self._lead, self._lead)
        if self._ask is None or self._lead is None or abs(late) > TOLERANCE:
            self._lead = lead


def make_clock(now: Callable[[], int]) -> Clock:
    """A clock of a function that gives ms since the epoch, its ticks too; a Clock as it is."""
    return now if isinstance(now, Clock) else Clock(now, now)
