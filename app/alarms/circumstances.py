"""What a condition is judged by."""

from dataclasses import dataclass

from app.alarms.remembering import Memory
from app.config.watching import Alerts
from app.database.opening import Database
from app.metrics.families import Family
from app.watching.watch import Sight


@dataclass(frozen=True)
class Circumstances:
    """What was seen now and before, and what the config takes for wrong; `now` in ms since the epoch."""

    sight: Sight
    memory: Memory
    alerts: Alerts
    database: Database
    now: int

    def find_ages(self, family: Family) -> dict[tuple[str, ...], float]:
        """Seconds since each time of a family of timestamps."""
        times = self.sight.find(family.name)
        return {values: self.now / 1000 - time for values, time in times.items()}

    def find_age(self, family: Family) -> float:
        """Seconds since the one time of a family without labels; 0 where there is none."""
        return self.find_ages(family).get((), 0.0)
