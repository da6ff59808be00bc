"""What becomes of reports, in plain Python: queued, sent, sent again, dead, and why some wait longer.

Times are ms. The pause before a report is sent again is jittered: the model knows the earliest and
the latest time, and is told the real one.
"""

from dataclasses import dataclass, field

GIVE_UP_AFTER = 86_400_000
LEASE = 45_000
ROOM = 24  # sends that one look begins: of 32 places a quarter is kept free
FAILURES = 10  # in a row, after which nobody seems to be there
PAUSES = (5, 10, 20, 40, 60)  # seconds
BUSY = 7_000  # what a busy platform asks for
# What the platform does: delivered, dead or failed; why; whether it says that nobody is there.
PLATFORM = {
    "up": ("delivered", "", False),
    "down": ("failed", "no connection", True),
    "busy": ("failed", "it answered 503", True),
    "garbage": ("failed", "it answered 200, but with no JSON object", False),
    "refusing": ("dead", "it answered 400", False),
    "locked out": ("dead", "it answered 401: are the credentials right?", False),
}


@dataclass
class Report:
    """States: ready, leased, delivered, dead."""

    event_id: str
    due: int
    since: int
    latest: int = 0  # where `due` is jittered, the latest it may be
    state: str = "ready"
    before: int = 0  # sends of an earlier schedule
    lease_until: int = 0
    takes: int = 0  # leases in a row whose end nobody knows
    error: str = ""
    sends: list[str] = field(default_factory=list)  # delivered, failed, unknown

    def choose_pause(self) -> int:
        return min(1_000 << (len(self.sends) - self.before), 600_000)


class Outbox:
    """Reports by their event's id, and how the platform looks from this process."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.platform = "up"
        self.posted = 0
        self.forget()

    def forget(self) -> None:
        """A new process knows nothing of earlier failures."""
        self.failures = self.pauses = self.open_at = 0

    def queue(self, event_id: str, now: int) -> None:
        self.reports[event_id] = Report(event_id, now, now)

    def count_room(self, now: int, limit: int) -> int:
        if self.failures < FAILURES:
            return limit
        return 0 if 0 < self.open_at - now <= 1000 * PAUSES[-1] else 1

    def begin_due(self, now: int) -> list[Report]:
        """One look: what is due, as many as there is room for; what may be deadly comes last and alone."""
        room = self.count_room(now, ROOM)
        if room:
            self.free_expired(now)
        due = [one for one in self.reports.values() if one.state == "ready" and one.due <= now]
        due.sort(key=lambda one: one.due)
        begun = [one for one in due if one.takes < 2][:room] or due[: min(room, 1)]
        for one in begun:
            self.begin(one, now)
        return begun

    def free_expired(self, now: int) -> None:
        for one in self.reports.values():
            if one.state == "leased" and one.lease_until < now:
                one.state = "ready"

    def begin(self, one: Report, now: int) -> None:
        self.posted += 1
        one.sends.append("unknown")
        one.since = now - max(0, one.due - one.since)  # what came after its due time does not count
        one.state, one.lease_until, one.takes = "leased", now + LEASE, one.takes + 1
        one.due = one.latest = now + one.choose_pause()

    def send_due(self, now: int) -> None:
        for one in self.begin_due(now):
            self.end(one, now)

    def send_one(self, event_id: str, now: int) -> None:
        """Somebody waits for it."""
        one = self.reports[event_id]
        if one.state == "ready" and one.due <= now and self.count_room(now, 1):
            self.free_expired(now)
            self.begin(one, now)
            self.end(one, now)

    def end(self, one: Report, now: int) -> None:
        result, one.error, is_down = PLATFORM[self.platform]
        one.sends[-1] = "delivered" if result == "delivered" else "failed"
        left = GIVE_UP_AFTER - (now - one.since)
        one.state = result
        if result == "failed":
            one.state = "dead" if left < 1 else "ready"
        if one.state == "ready":
            one.takes = 0
            pause = one.choose_pause()
            shortest, longest = pause * 0.8, min(pause * 1.2, 600_000)
            if self.platform == "busy":
                shortest = longest = BUSY
            one.due, one.latest = now + int(min(shortest, left)), now + int(min(longest, left))
        self.count_failure(now, is_down)

    def count_failure(self, now: int, is_down: bool) -> None:
        if not is_down:
            self.failures = self.pauses = 0
            return
        self.failures += 1
        if self.failures >= FAILURES and self.count_room(now, 1):
            self.open_at = now + 1000 * PAUSES[min(self.pauses, len(PAUSES) - 1)]
            self.pauses += 1

    def revive(self, now: int) -> int:
        """A person has all that is dead or waits sent again; how many that was."""
        chosen = [one for one in self.reports.values()
                  if one.state == "dead" or (one.state == "ready" and one.due != now)]  # fmt: skip
        for one in chosen:
            if one.state == "dead":
                one.before, one.since, one.takes = len(one.sends), now, 0
            one.state, one.due, one.latest = "ready", now, now
        return len(chosen)
