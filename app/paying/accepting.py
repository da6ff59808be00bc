"""The way of a delivery: is it paid already? fetch its events; settle them. One at a time a key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from peewee import PeeweeException

from app.batching import Batcher
from app.config.reading import Players
from app.database.keys import make_event_key
from app.database.opening import Database
from app.failpoints import reach
from app.host.loading import Plugins
from app.network.client import Http
from app.paying.granting import group_grants
from app.paying.recipients import judge_unknown
from app.paying.settler import Settler, Work
from app.pending import Pending
from app.porch.errors import DatabaseUnavailable, GuerdonError, NotReady, RefusedName
from app.porch.hookspecs import Delivery, Event, Grant, Outcome
from app.porch.rounds import GAME_SERVER, TYPES, list_game_events

log = structlog.get_logger()

ANSWER_TIMEOUT = 10.0  # seconds for the database to look or to settle
BOARDING = 0.001  # seconds in which votes that are being fetched may still join a commit


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of an event: settled, and whether the inbox still holds it."""

    is_settled: bool
    is_waiting: bool


def is_event(value: Any) -> bool:
    """An Event that has a key."""
    parts = (value.source, value.type, value.id) if isinstance(value, Event) else (None,)
    return all(isinstance(part, str) for part in parts)


class Deliveries:
    """Pays deliveries; the same one at the same time is paid once and answered to all who asked."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        http: Http,
        settler: Settler,
        nudge: Callable[[], None],
        players: Players,
    ) -> None:
        """`nudge` is called when there may be reports to send; `players` says what a nickname may be."""
        self._database = database
        self._plugins = plugins
        self._http = http
        self._looking = Batcher("looking", self._look, database.close)
        self._settling = Batcher(
            "settling", self._settle, database.close,
            count_expected=lambda: len(self._running), patience=BOARDING,
        )  # fmt: skip
        self._settler = settler
        self._players = players
        self._running: dict[bytes, Pending[tuple[Outcome, Standing]]] = {}
        self._announces = plugins.has("event_settled")
        self._nudge = nudge if plugins.has("build_report") else None

    def stop(self) -> None:
        """End the threads that look and settle, after what they have in hand."""
        self._looking.stop()
        self._settling.stop()

    def look(self, key: bytes) -> Standing:
        """Where the event of this key stands; asked together with whoever asks at the same time.

        Raises DatabaseUnavailable, also when the answer takes longer than ANSWER_TIMEOUT.
        """
        try:
            return self._looking.ask(key, ANSWER_TIMEOUT)
        except TimeoutError:
            raise DatabaseUnavailable("the database answers too slowly") from None

    def pay(self, delivery: Delivery) -> tuple[Outcome, Standing]:
        """The delivery's outcome, and where it stood before. Never raises for the outside's faults."""
        key = make_event_key(delivery.source, delivery.type, delivery.id)
        mine: Pending[tuple[Outcome, Standing]] = Pending()
        running = self._running.setdefault(key, mine)
        if running is not mine:
            try:
                return running.wait(4 * ANSWER_TIMEOUT)
            except TimeoutError:
                return Outcome("unavailable", "an earlier try still runs"), Standing(False, False)
        try:
            result = self._pay_first(delivery, key)
            mine.give(result)
            return result
        except BaseException:
            mine.give((Outcome("unavailable", "an earlier try failed"), Standing(False, False)))
            raise
        finally:
            del self._running[key]

    def _pay_first(self, delivery: Delivery, key: bytes) -> tuple[Outcome, Standing]:
        standing = Standing(False, False)
        try:
            standing = self.look(key)
            if standing.is_settled:
                return Outcome("known"), standing
            reach("delivery: looked")
            events = self._fetch(delivery)
            reach("delivery: fetched")
            outcome = self._settling.ask(Work(events, delivery.token), ANSWER_TIMEOUT)
        except RefusedName as error:
            return judge_unknown(error, self._players.unknown), standing
        except NotReady as error:
            return Outcome("waiting", error.reason, error.retry_in), standing
        except DatabaseUnavailable as error:
            return Outcome("unavailable", str(error)), standing
        except PeeweeException as error:
            log.error("database failed", event_id=delivery.id, exc_info=error)
            return Outcome("unavailable", "the database cannot answer"), standing
        except TimeoutError:
            # It may yet be paid; then whoever tries it from the inbox finds that out.
            return Outcome("waiting", "the database answers too slowly"), standing
        except GuerdonError as error:
            name = {"event_type": delivery.type, "event_id": delivery.id}
            log.error("not settled", **name, exc_info=error)
            return Outcome("waiting", str(error)), standing
        if outcome.state == "settled":
            if self._nudge is not None and delivery.source != GAME_SERVER:
                self._nudge()  # a game server's request sends its reports itself
            self.announce(outcome.events, outcome.grants)
        return outcome, standing

    def _fetch(self, delivery: Delivery) -> list[Event]:
        facts = {"http": self._http, "settings": self._plugins.settings}
        events = self._plugins.ask("fetch_events", delivery=delivery, **facts).value
        if not events and delivery.type in TYPES:  # it holds them itself
            events = list_game_events(delivery.type, delivery.data, delivery.source)
        if not events:
            raise NotReady(f"no plugin fetched the events of a {delivery.type}")
        if not isinstance(events, list) or not all(is_event(one) for one in events):
            raise NotReady(f"the plugin for {delivery.source} fetched something else than events")
        first = events[0]
        if (first.source, first.type, first.id) != (delivery.source, delivery.type, delivery.id):
            raise NotReady("the first event fetched is another than the one delivered")
        return [self._check_nickname(event) for event in events]

    def _check_nickname(self, event: Event) -> Event:
        """The event, its nickname trimmed. Raises RefusedName where nobody may be called so."""
        if not isinstance(event.nickname, str) or not event.nickname.strip():
            return event  # the settler says what is wrong with it, or a user id finds its player
        self._players.read_name(event.nickname)
        name = event.nickname.strip()
        return event if name == event.nickname else replace(event, nickname=name)

    def announce(self, events: Sequence[Event], grants: Sequence[Grant]) -> None:
        """Tell the plugins what was settled; their errors are logged and cost nobody anything."""
        groups = group_grants(grants)
        for event in events:
            name = {"event_type": event.type, "event_id": event.id, "server_id": event.server_id}
            mine = groups[id(event)]
            log.info("settled", source=event.source, **name, grants=len(mine))
            if not self._announces:
                continue
            facts = {"event": event, "grants": mine, "settings": self._plugins.settings}
            for answer in self._plugins.ask_each("event_settled", facts):
                if answer.error is not None:
                    told = {"plugin": answer.plugin, "exc_info": answer.error}
                    log.error("event_settled failed", **name, **told)

    def _settle(self, works: list[Work]) -> list[Outcome]:
        self._database.keep_connection()
        return self._settler.settle(works)

    def _look(self, keys: list[bytes]) -> list[Standing]:
        self._database.keep_connection()

        def read(attempt: int) -> tuple[set[bytes], set[bytes]]:
            marks = ", ".join([self._database.param] * len(keys))
            rows = self._database.execute_sql(
                f"SELECT ordered_key, 1 FROM guerdon_events WHERE ordered_key IN ({marks}) UNION ALL"
                f" SELECT ordered_key, 0 FROM guerdon_inbox WHERE ordered_key IN ({marks})"
                " AND state <> 'settled'",
                keys + keys,
            ).fetchall()
            settled = {bytes(key) for key, is_settled in rows if is_settled}
            return settled, {bytes(key) for key, is_settled in rows if not is_settled}

        settled, waiting = self._database.ask(read)
        return [Standing(key in settled, key in waiting) for key in keys]
