"""Callers that wait for their reports' ends: a game server's request sends its own, before the rest."""

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import Any

from app.batching import Batcher
from app.database.clock import Clock
from app.database.models import Report
from app.database.opening import Database
from app.database.states import ON_THEIR_WAY, BoxState
from app.reporting.destinations import Destination, Destinations
from app.reporting.under_way import UnderWay

SHORTEST_LOOK, LONGEST_LOOK = 0.05, 1.0  # seconds between looks at a report that another sends
ROOM_LOOK = 5.0  # seconds, while there is no room
BREATH = 0.005  # seconds, so that whoever is quicker to a free place gets on
ANSWER_TIMEOUT = 10.0  # seconds for the database


@dataclass(frozen=True, slots=True)
class OpenReport:
    """A report that is still on its way, ready or leased."""

    id: int
    reporter: str
    is_leased: bool
    due_in: float  # seconds

    @property
    def is_due(self) -> bool:
        return not self.is_leased and self.due_in <= 0


class WaitingCallers:
    """Sends what they wait for as soon as there is room, many in one commit."""

    def __init__(
        self,
        database: Database,
        now: Clock,
        destinations: Destinations,
        under_way: UnderWay,
    ) -> None:
        self._database = database
        self._now = now
        self._destinations = destinations
        self._under_way = under_way
        self._beginning = Batcher("beginning", self._begin_asked, database.close)

    def stop(self) -> None:
        """End the thread that begins, after what it has in hand."""
        self._beginning.stop()

    def wait_for(self, ids: Sequence[int], seconds: float) -> None:
        """Send these reports; returns when all have ended, or cannot end within `seconds`.

        Raises what the database raises, and TimeoutError where it answers too slowly.
        """
        deadline = time.monotonic() + seconds
        pause, crowded = SHORTEST_LOOK, set[Destination]()
        while (left := deadline - time.monotonic()) > 0 and not self._under_way.stopping.is_set():
            reports = self._look(ids)
            if not any(one.is_leased or one.due_in <= left for one in reports):
                break
            due = {one.id: one.reporter for one in reports if one.is_due}
            begun = self._beginning.process(due, ANSWER_TIMEOUT) if due else set()
            served = [one for one in map(self._destinations.open, due.values()) if one.is_served]
            if futures := [f for one in reports if (f := self._under_way.find(one.id))]:
                patience = left if len(begun) == len(due) else min(left, LONGEST_LOOK)
                wait(futures, patience, FIRST_COMPLETED)
            elif begun:
                continue  # it has ended already
            elif served:
                crowded.update(served)
                served[0].wait_for_room(min(left, ROOM_LOOK))
                time.sleep(BREATH)
            elif due:
                break  # nobody seems to be there: the dispatcher goes on
            else:
                time.sleep(min(pause, left, *(one.due_in for one in reports if not one.is_leased)))
                pause = min(pause * 2, LONGEST_LOOK)
        for destination in crowded:
            destination.pass_on()

    def _look(self, ids: Sequence[int]) -> list[OpenReport]:
        """Those that are still on their way."""
        now = self._now()
        columns = (Report.id, Report.reporter, Report.state, Report.due_at)
        query: Any = Report.select(*columns).where(Report.id << list(ids)).tuples()
        rows = self._database.read(lambda: list(query))
        return [
            OpenReport(id_, name, state == BoxState.LEASED, (due - now) / 1000)
            for id_, name, state, due in rows
            if state in ON_THEIR_WAY
        ]

    def _begin_asked(self, asked: list[dict[int, str]]) -> list[set[int]]:
        """Begin what is asked for, {id: reporter}, where there is room; of each the ids begun."""
        self._database.keep_connection()
        wanted = {id_: name for one in asked for id_, name in one.items()}
        chosen = {id_: name for id_, name in wanted.items() if self._has_room(name)}
        begun: set[int] = set()
        if chosen:
            ours = (Report.id << list(chosen)) & (Report.due_at <= self._now())
            places = Counter(chosen.values())
            begun = self._under_way.begin(places, ours, len(chosen), by_id=True)
        return [begun & one.keys() for one in asked]

    def _has_room(self, reporter: str) -> bool:
        return bool(self._destinations.open(reporter).reserve(1))
