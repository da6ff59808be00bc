"""The way of a delivery: paid already? fetch its events, pay them; what cannot be paid now waits."""

from dataclasses import dataclass

import structlog
from peewee import PeeweeException

from app.batching import Batcher
from app.database.keys import make_event_key
from app.database.opening import Database
from app.failpoints import reach
from app.paying.announcing import Announcer
from app.paying.erased import ErasedNames
from app.paying.fetching import Fetcher
from app.paying.inbox import STILL_WAITS, Inbox
from app.paying.keeping import Kept, must_be_kept
from app.paying.ledger import IS_SETTLED
from app.paying.recipients import judge_unknown
from app.paying.settler import Settler, Work
from app.pending import Pending
from app.porch.errors import (
    DatabaseUnavailable,
    GuerdonError,
    NeverPayable,
    NotReady,
    RefusedName,
)
from app.porch.types import Delivery, Outcome, OutcomeState

log = structlog.get_logger()

ANSWER_TIMEOUT = 10.0  # seconds for the database to look or to settle
BOARDING = 0.002  # seconds, at most, in which votes that are being fetched may still join a commit


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows of an event: settled, and whether the inbox still holds it."""

    is_settled: bool = False
    is_waiting: bool = False


NEVER_SEEN = Standing()  # as most events are, when they come


class Deliveries:
    """Pays deliveries; the same one at the same time is paid once and answered to all who asked."""

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        settler: Settler,
        inbox: Inbox,
        announcer: Announcer,
        unknown: str,
        erased: ErasedNames,
    ) -> None:
        """`unknown` is [players] unknown."""
        self._database = database
        self._fetcher = fetcher
        self._settler = settler
        self._inbox = inbox
        self._announcer = announcer
        self._unknown = unknown
        self._erased = erased
        self._looking = Batcher("looking", self._look, database.close)
        self._settling = Batcher(
            "settling", self._settle, database.close,
            count_expected=lambda: len(self._running), patience=BOARDING,
        )  # fmt: skip
        self._running: dict[bytes, Pending[tuple[Outcome, Standing]]] = {}

    def stop(self) -> None:
        """End the threads that look and settle, after what they have in hand."""
        self._looking.stop()
        self._settling.stop()

    def accept(self, delivery: Delivery) -> Outcome:
        """Pay a delivery that just came; what cannot be paid is stored before this returns."""
        outcome, standing = self._pay_once(delivery)
        if must_be_kept(outcome):
            return self._inbox.keep(delivery, outcome)
        if outcome.is_done and standing.is_waiting:
            self._inbox.close(delivery)
        return outcome

    def retry(self, id: int, lease_token: str) -> Outcome:
        """Pay a leased delivery of the inbox, if that works by now, and finish its lease."""
        retry = self._inbox.begin_retry(id)
        with self._database.give_back():
            outcome, _ = self._pay_once(retry.delivery, retry.row.received_at)
        self._inbox.finish_retry(retry, lease_token, outcome)
        return outcome

    def look(self, key: bytes) -> Standing:
        """Where the event of this key stands; asked together with whoever asks at the same time.

        Raises DatabaseUnavailable, also when the answer takes longer than ANSWER_TIMEOUT.
        """
        try:
            return self._looking.process(key, ANSWER_TIMEOUT)
        except TimeoutError:
            raise DatabaseUnavailable("the database answers too slowly") from None

    def _pay_once(
        self, delivery: Delivery, received_at: int | None = None
    ) -> tuple[Outcome, Standing]:
        """The delivery's outcome, and where it stood before; who brings it meanwhile gets the same.

        It came at `received_at` (ms); None: now.
        """
        key = make_event_key(delivery.source, delivery.type, delivery.id)
        mine: Pending[tuple[Outcome, Standing]] = Pending()
        running = self._running.setdefault(key, mine)
        if running is not mine:
            try:
                outcome, standing = running.wait(4 * ANSWER_TIMEOUT)
            except TimeoutError:
                return Outcome(OutcomeState.UNAVAILABLE, "an earlier try still runs"), NEVER_SEEN
            return outcome.share() if isinstance(outcome, Kept) else outcome, standing
        try:
            result = self._pay(delivery, key, received_at)
            mine.give(result)
            return result
        except BaseException:
            mine.give((Outcome(OutcomeState.UNAVAILABLE, "an earlier try failed"), NEVER_SEEN))
            raise
        finally:
            del self._running[key]

    def _pay(
        self, delivery: Delivery, key: bytes, received_at: int | None
    ) -> tuple[Outcome, Standing]:
        """Never raises for the outside's faults."""
        standing = NEVER_SEEN
        try:
            standing = self.look(key)
            if standing.is_settled:
                return Outcome(OutcomeState.KNOWN), standing
            reach("delivery: looked")
            events = self._fetcher.fetch(delivery)
            reach("delivery: fetched")
            events = self._erased.leave_out(events)
            if not events:  # of a player who was erased since
                return Outcome(OutcomeState.KNOWN), standing
            kept = delivery if received_at is None else None  # who retries has its row
            work = Work(events, delivery.token, received_at, kept)
            outcome = self._settling.process(work, ANSWER_TIMEOUT)
        except Exception as error:
            return self._explain(delivery, error), standing
        if outcome.state == OutcomeState.SETTLED:
            self._announcer.announce(outcome.events, outcome.grants)
        return outcome, standing

    def _explain(self, delivery: Delivery, error: Exception) -> Outcome:
        """What an error on the way of a delivery means for it; raises one that nobody expects."""
        told = log.bind(event_type=delivery.type, event_id=delivery.id)
        match error:
            case RefusedName():
                return judge_unknown(error, self._unknown)
            case NeverPayable():
                return Outcome(OutcomeState.DEAD, error.reason)
            case NotReady():
                return Outcome(OutcomeState.WAITING, error.reason, error.retry_in)
            case DatabaseUnavailable():
                return Outcome(OutcomeState.UNAVAILABLE, str(error))
            case PeeweeException():
                told.error("database failed", exc_info=error)
                return Outcome(OutcomeState.UNAVAILABLE, "the database cannot answer")
            case TimeoutError():
                # It may yet be paid; then whoever tries it from the inbox finds that out.
                return Outcome(OutcomeState.WAITING, "the database answers too slowly")
            case GuerdonError():
                told.error("not settled", exc_info=error)
                return Outcome(OutcomeState.WAITING, str(error))
        raise error

    def _settle(self, works: list[Work]) -> list[Outcome]:
        self._database.keep_connection()
        return self._settler.settle(works)

    def _look(self, keys: list[bytes]) -> list[Standing]:
        """Asks two tables at once: on the way of a vote a statement costs more than what it reads."""
        self._database.keep_connection()
        marks = ", ".join([self._database.param] * len(keys))
        sql = f"{IS_SETTLED} UNION ALL {STILL_WAITS}".format(marks=marks)

        def read() -> list[tuple[bytes, int]]:
            rows = self._database.execute_sql(sql, keys + keys).fetchall()
            return [(bytes(key), is_settled) for key, is_settled in rows]

        found = self._database.read(read)
        if not found:
            return [NEVER_SEEN] * len(keys)
        settled = {key for key, is_settled in found if is_settled}
        waiting = {key for key, is_settled in found if not is_settled}
        return [Standing(key in settled, key in waiting) for key in keys]
