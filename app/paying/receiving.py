"""What a source delivers, once it is verified: paid now, or kept, or found to need neither."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from app.database.opening import Database
from app.failpoints import reach
from app.paying.accepting import Deliveries
from app.paying.ledger import LONGEST, are_usual, judge_text
from app.porch.errors import BadDelivery, DatabaseUnavailable
from app.porch.types import Delivery, Outcome, OutcomeState

log = structlog.get_logger()

KEY_FIELDS = ("source", "type", "id")
LONGEST_NAME = 255  # characters of a type or an id in a line of the log
MOST = 1000  # deliveries in one request
AT_ONCE = 16  # of one request
# What a source has to do about several deliveries follows from the last of these that one of them met.
GRAVITY = (
    OutcomeState.IGNORED, OutcomeState.TEST, OutcomeState.KNOWN, OutcomeState.SETTLED,
    OutcomeState.REPEATED, OutcomeState.DEAD, OutcomeState.HELD, OutcomeState.WAITING,
    OutcomeState.UNAVAILABLE,
)  # fmt: skip


class Receiver:
    """Where a delivery goes in, however it came."""

    def __init__(
        self,
        database: Database,
        deliveries: Deliveries,
        require_fit_database: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        """`require_fit_database` raises DatabaseUnavailable; `nudge` has reports sent soon."""
        self._database = database
        self._deliveries = deliveries
        self._require_fit_database = require_fit_database
        self._nudge = nudge
        self._ignored: Counter[str] = Counter()  # of each source, since this process started

    def receive_all(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Each by itself, some at a time; their outcomes, in order. None is begun where one is unfit."""
        if len(deliveries) > MOST:
            raise BadDelivery(f"it delivers more than {MOST} at once", 413)
        for delivery in deliveries:
            check_delivery(delivery)
        with ThreadPoolExecutor(AT_ONCE, "receiving") as pool:
            return list(pool.map(self._receive_apart, deliveries))

    def _receive_apart(self, delivery: Delivery) -> Outcome:
        """In a thread of its own: what a plugin's hook opened in it goes back to the pool."""
        with self._database.give_back():
            return self._receive(delivery)

    def receive(self, delivery: Delivery) -> Outcome:
        """Pay or keep what a source delivers.

        Raises BadDelivery for what no column takes, TypeError for what is no Delivery.
        """
        check_delivery(delivery)
        return self._receive(delivery)

    def _receive(self, delivery: Delivery) -> Outcome:
        if delivery.is_test:
            log.info("test delivery", **name_delivery(delivery))
            return Outcome(OutcomeState.TEST)
        if delivery.ignored:
            self._ignored[delivery.source] += 1
            count = self._ignored[delivery.source]
            log.info("ignored", **name_delivery(delivery), reason=delivery.ignored, count=count)
            return Outcome(OutcomeState.IGNORED, delivery.ignored)
        try:
            self._require_fit_database()
        except DatabaseUnavailable as error:
            log.error("not stored", **name_delivery(delivery), reason=str(error))
            return Outcome(OutcomeState.UNAVAILABLE, "the database is not ready")
        reach("delivery: verified")
        outcome = self._deliveries.accept(delivery)
        reach("delivery: before the answer")
        if outcome.state == OutcomeState.SETTLED:
            self._nudge()  # whoever delivers waits for no report
        if outcome.state == OutcomeState.UNAVAILABLE:
            log.error("not stored", **name_delivery(delivery), reason=outcome.reason)
        return outcome


def name_delivery(delivery: Delivery) -> dict[str, str]:
    """How the log calls it; until it is stored, nobody has looked how long its names are."""
    type_, id_ = delivery.type[:LONGEST_NAME], delivery.id[:LONGEST_NAME]
    return {"source": delivery.source, "event_type": type_, "event_id": id_}


def merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """What came of several deliveries, as one: the gravest says what the source has to do."""
    if not outcomes:
        return Outcome(OutcomeState.IGNORED, "it delivers nothing")
    worst = max(outcomes, key=lambda one: GRAVITY.index(one.state))
    events = [event for one in outcomes for event in one.events]
    grants = [grant for one in outcomes for grant in one.grants]
    return Outcome(worst.state, worst.reason, worst.retry_in, events, grants, worst.status)


def check_delivery(delivery: Delivery) -> None:
    """Raise TypeError for what a plugin should not have made, BadDelivery for what cannot be kept."""
    if not isinstance(delivery, Delivery):
        raise TypeError(f"{type(delivery).__name__} is no Delivery")
    texts = [delivery.source, delivery.type, delivery.id, delivery.token]
    try:
        is_usual = are_usual(texts)
    except TypeError:
        raise TypeError("a Delivery's source, type, id and token are strings") from None
    if is_usual or delivery.is_test or delivery.ignored:
        return
    for name, text in zip(KEY_FIELDS, texts, strict=False):
        require_text(name, text)


def require_text(name: str, text: str) -> None:
    """Raise BadDelivery where no column takes it."""
    if fault := judge_text(text, LONGEST[name]):
        raise BadDelivery(f"the {name} of what it delivers {fault}")
