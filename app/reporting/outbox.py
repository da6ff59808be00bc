"""Reports on their way: leased, sent outside any transaction, sent again by their schedule."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any

import structlog

from app.batching import Batcher
from app.database.clock import make_clock
from app.database.models import Report
from app.database.opening import Database
from app.host.loading import Plugins
from app.porch.hookspecs import Http
from app.porch.hookspecs import Report as SendableReport
from app.porch.masking import SHORTEST_MASKED
from app.porch.secret import Secret
from app.reporting import beginning
from app.reporting.beginning import begin_sends, list_due_reporters
from app.reporting.lanes import Lane, Lanes
from app.reporting.recorder import Ended, Recorder
from app.reporting.schedule import choose_due
from app.reporting.sender import Sent, send_one

log = structlog.get_logger()

LOOK_EVERY = 1.0  # seconds between looks at all lanes
SHORTEST_LOOK, LONGEST_LOOK = 0.05, 1.0  # seconds between looks at a report that another sends
ROOM_LOOK = 5.0  # seconds, while there is no room
BREATH = 0.005  # seconds, so that whoever is quicker to a free place gets on
ANSWER_TIMEOUT = 10.0  # seconds for the database
STOP_PATIENCE = 45.0  # seconds


class Outbox:
    """Sends what is due, each reporter in its own lane; one report is sent by one process at a time."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        http: Http,
        now: Callable[[], int],
        secrets: Iterable[Secret],
        at_once: int,
    ) -> None:
        """`now` gives ms since the epoch; `secrets` are hidden in what is kept of answers."""
        self._database = database
        self._plugins = plugins
        self._http = http
        self._now = make_clock(now)
        self._secrets = [s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST_MASKED]
        self._lanes = Lanes(plugins, at_once, self._now.ticks)
        self._hungry: set[str] = set()  # lanes that had no room for all that was due
        self._under_way: dict[int, Future[None]] = {}
        self._beginning = Batcher("beginning", self._begin_asked, database.close)
        self._stopping = threading.Event()
        self._recorder = Recorder(database, self._stopping)
        self._woken = threading.Event()
        self._has_news = True
        self._next_look = 0.0

    def nudge(self) -> None:
        """There may be something new to send."""
        self._has_news = True
        self._woken.set()

    def rest(self, seconds: float) -> None:
        """Until there is news or room, `seconds` at most."""
        self._woken.wait(seconds)
        self._woken.clear()

    def stop(self, patience: float = STOP_PATIENCE) -> bool:
        """Begin nothing more; wait up to `patience` seconds for what is under way, and record it.

        False where something still is under way: it stays leased, and is sent again.
        """
        self._stopping.set()
        self._lanes.stop()
        _, late = wait(list(self._under_way.values()), patience)
        self._beginning.stop()
        self._recorder.stop()
        return not late

    def serve_once(self) -> bool:
        """Look what is due, and begin to send what there is room for; True if there may be more."""
        self._has_news = True
        return self.serve()

    def serve(self) -> bool:
        """As serve_once, but it looks at all lanes only where there is news, and every LOOK_EVERY."""
        if self._has_news or time.monotonic() >= self._next_look:
            self._has_news = False
            try:
                self._hungry |= list_due_reporters(self._database, self._now())
            except Exception:
                self._has_news = True
                raise
            self._next_look = time.monotonic() + LOOK_EVERY
        began = [self._serve_lane(name) for name in sorted(self._hungry)]
        return any(began)

    def _serve_lane(self, name: str) -> bool:
        lane = self._lanes.open(name)
        quarter = lane.at_once // 4  # kept free for reports that somebody waits for
        room = lane.reserve(lane.at_once, spare=quarter, at_least=quarter)
        if not room:
            return False
        due = (Report.reporter == name) & (Report.due_at <= self._now())
        begun = self._begin({name: room}, due, room)
        if not begun:
            self._hungry.discard(name)
        return len(begun) == room

    def _begin(
        self, places: Mapping[str, int], where: Any, limit: int, by_id: bool = False
    ) -> set[int]:
        """Begin to send up to `limit` reports that match; the ids of those that are ours.

        `places` were reserved, for each reporter so many; what is not used is given back in any case.
        """
        unused = dict(places)
        begun: set[int] = set()
        try:
            if self._stopping.is_set():
                return begun
            ticks, now = self._now.ticks(), self._now()
            running = self._now.find_running(beginning.LEASE_LENGTH)
            rows = begin_sends(self._database, self._lanes, where, limit, now, by_id, running)
            for row in rows:
                row.began = ticks
                lane = self._lanes.open(row.reporter)
                future = lane.submit(self._send, row, lane)
                unused[row.reporter] -= 1
                begun.add(row.id)
                self._under_way[row.id] = future
                future.add_done_callback(partial(self._forget, row.id))
        finally:
            for name, count in unused.items():
                self._lanes.open(name).give_back(count)
        return begun

    def _forget(self, id: int, done: "Future[None]") -> None:
        if self._under_way.get(id) is done:  # a later send of the same report may have begun
            del self._under_way[id]

    def _send(self, row: Any, lane: Lane) -> None:
        report = SendableReport(row.reporter, row.kind, row.key, bytes(row.body), row.id, row.sends)
        sent = Sent(is_down=True)
        try:
            sent = send_one(
                self._plugins, self._http, report, self._now(), self._secrets,
                partial(self._count_left, row),
            )  # fmt: skip
            now = self._now()
            # Not since when it waits, but for how long: meanwhile the clock may have been set.
            since = now - row.waited - (self._now.ticks() - row.began)
            sends = row.sends - row.sends_before
            due = choose_due(lane.schedule, sends, since, now, sent.retry_in)
            self._recorder.record(Ended(row, sent, now, since, None if sent.is_permanent else due))
        except Exception as error:
            name = {"reporter": row.reporter, "report": row.id}
            log.error("send not recorded", **name, reason=type(error).__name__)
        finally:
            lane.end(sent.is_down, sent.is_unsent, sent.is_late)
            self._woken.set()

    def _count_left(self, row: Any) -> float:
        """Seconds that a send of this leased report may take; none where it comes too late to begin.

        Then another process may send it already, or soon. This one may have been stopped, or suspended
        with its host, so both clocks are asked: the ticks, and the one that others go by.
        """
        spent = self._now.ticks() - row.began
        if 3 * spent > beginning.LEASE_LENGTH or self._now() > row.lease_until:
            return 0.0
        return float(beginning.LEASE_LENGTH - spent) / 1000

    def wait_for(self, ids: Sequence[int], seconds: float) -> None:
        """Send these reports; returns when all have ended, or cannot end within `seconds`."""
        deadline = time.monotonic() + seconds
        pause, crowded = SHORTEST_LOOK, set[Lane]()
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
            open_rows = self._look(ids)
            if not any(state == "leased" or wait_s <= left for *_, state, wait_s in open_rows):
                break
            due = {id_: name for id_, name, state, s in open_rows if state == "ready" and s <= 0}
            lanes = [self._lanes.open(name) for name in due.values()]
            begun = self._beginning.ask(due, ANSWER_TIMEOUT) if due else set()
            served = [lane for lane in lanes if lane.is_served]
            if futures := [f for row in open_rows if (f := self._under_way.get(row[0]))]:
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
                time.sleep(min(pause, left, *(s for *_, state, s in open_rows if state == "ready")))
                pause = min(pause * 2, LONGEST_LOOK)
        for lane in crowded:
            lane.pass_on()
        self.nudge()

    def _look(self, ids: Sequence[int]) -> list[tuple[int, str, str, float]]:
        """(id, reporter, state, seconds until due) of those that are still on their way."""
        now = self._now()
        columns = (Report.id, Report.reporter, Report.state, Report.due_at)
        query: Any = Report.select(*columns).where(Report.id << list(ids)).tuples()
        rows = self._database.ask(lambda attempt: list(query))
        return [
            (id_, name, state, (due - now) / 1000)
            for id_, name, state, due in rows
            if state in ("ready", "leased")
        ]

    def _begin_asked(self, asked: list[dict[int, str]]) -> list[set[int]]:
        """Begin what is asked for, {id: reporter}, where there is room; of each the ids begun."""
        self._database.keep_connection()
        wanted = {id_: name for one in asked for id_, name in one.items()}
        chosen = {id_: name for id_, name in wanted.items() if self._lanes.open(name).reserve(1)}
        begun: set[int] = set()
        if chosen:
            ours = (Report.id << list(chosen)) & (Report.due_at <= self._now())
            places = Counter(chosen.values())
            begun = self._begin(places, ours, len(chosen), by_id=True)
        return [begun & one.keys() for one in asked]
