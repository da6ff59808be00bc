"""Pays events, exactly once: the payment and the row that says it was paid are one commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from peewee import IntegrityError

from app.database import Database
from app.errors import DatabaseUnavailable, GuerdonError, NotReady
from app.granting import GatheredWrites, give_gift
from app.hookspecs import Event, Grant, Outcome, Player
from app.ledger import insert_events, insert_grants, key_of, list_settled_keys
from app.plugin_manager import Plugins
from app.recipients import Recipients
from app.rules import Gift, Rules
from app.transactions import classify_error

log = structlog.get_logger()

LONGEST = {"source": 64, "type": 64, "id": 255, "server_id": 255, "nickname": 255, "user_id": 255}
DUPLICATE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Work:
    """The events of one delivery: paid together or not at all. `token` names who signed it."""

    events: Sequence[Event]
    token: str = ""


@dataclass(slots=True)
class Payment:
    """One work on its way through a transaction."""

    work: Work
    gifts: list[list[Gift]]
    players: list[Player | None]
    grants: list[Grant]


class Settler:
    """Settles batches of works; each `settle` call is one transaction where nothing goes wrong."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        rules: Rules,
        recipients: Recipients,
        now: Callable[[], int],
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._rules = rules
        self._recipients = recipients
        self._now = now

    def settle(self, works: Sequence[Work]) -> list[Outcome]:
        """An outcome for each work, in order. Never raises for what a work or a plugin did wrong.

        If the batch fails as a whole its works are settled one by one, so that one of them costs
        nobody else.
        """
        try:
            return self._settle_together(works)
        except DatabaseUnavailable as error:
            return [Outcome("unavailable", str(error))] * len(works)
        except Exception as error:
            if len(works) > 1:
                return [self.settle([work])[0] for work in works]
            return [explain_failure(works[0], error)]

    def _settle_together(self, works: Sequence[Work]) -> list[Outcome]:
        for tries_left in reversed(range(DUPLICATE_TRIES)):
            look_first = tries_left < DUPLICATE_TRIES - 1
            try:
                return self._database.transact(partial(self._pay, works, look_first))
            except IntegrityError as error:
                # Somebody settled one of them meanwhile: look, and settle the rest.
                if classify_error(error) != "duplicate" or not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _pay(self, works: Sequence[Work], look_first: bool, attempt: int) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(works)
        settled = set()
        keys = [key_of(work.events[0]) for work in works]
        if look_first or attempt:
            settled = list_settled_keys(self._database, keys)
        first_of: dict[bytes, int] = {}
        payments: dict[int, Payment] = {}
        for position, (work, key) in enumerate(zip(works, keys, strict=True)):
            if key in settled:
                outcomes[position] = Outcome("known", events=work.events)
            elif first_of.setdefault(key, position) != position:
                continue
            elif fault := find_misfit(work.events):
                outcomes[position] = Outcome("waiting", fault)
            else:
                gifts = [self._rules.choose_gifts(event) for event in work.events]
                payments[position] = Payment(work, gifts, [None] * len(gifts), [])
        for position, problem in self._find_players(payments).items():
            outcomes[position] = problem
            del payments[position]
        self._write(list(payments.values()))
        for position, payment in payments.items():
            work = payment.work
            outcomes[position] = Outcome("settled", events=work.events, grants=payment.grants)
        return [
            outcome or repeat_outcome(outcomes[first_of[key]])
            for outcome, key in zip(outcomes, keys, strict=True)
        ]

    def _find_players(self, payments: dict[int, Payment]) -> dict[int, Outcome]:
        """Put the players of all events that earn something into the payments; the rest's outcomes."""
        places = [
            (position, index)
            for position, payment in payments.items()
            for index in range(len(payment.gifts))
            if payment.gifts[index]
        ]
        events = [payments[position].work.events[index] for position, index in places]
        problems: dict[int, Outcome] = {}
        for (position, index), answer in zip(places, self._recipients.find(events), strict=True):
            if isinstance(answer, Player):
                payments[position].players[index] = answer
            elif answer.state == "waiting" or position not in problems:
                problems[position] = answer
        return problems

    def _write(self, payments: Sequence[Payment]) -> None:
        """The events, their rewards, the ledger: all that one commit holds."""
        if not payments:
            return
        now = self._now()
        rows = [
            (event, payment.work.token) for payment in payments for event in payment.work.events
        ]
        ids = insert_events(self._database, rows, now)
        batch = GatheredWrites()
        ledger = []
        for payment in payments:
            for event, gifts, player in zip(
                payment.work.events, payment.gifts, payment.players, strict=True
            ):
                for gift in gifts:
                    assert player is not None  # _find_players left no payment without
                    grant = give_gift(
                        self._plugins, self._database, gift, event, player, batch, now
                    )
                    payment.grants.append(grant)
                    ledger.append((ids[key_of(event)], grant, gift.params_json))
        batch.flush(self._plugins, self._database)
        insert_grants(self._database, ledger, now)


def find_misfit(events: Sequence[Event]) -> str:
    """Why a column would refuse one of these events, the same on every database; "" if none would."""
    for event in events:
        for name, longest in LONGEST.items():
            value = getattr(event, name)
            if len(value) > longest:
                return f"the event's {name} is longer than {longest} characters"
            if any("\ud800" <= letter <= "\udfff" for letter in value):
                return f"the event's {name} is not valid Unicode"
    return ""


def repeat_outcome(first: Outcome | None) -> Outcome:
    """The outcome of a second delivery of the same event in one batch."""
    assert first is not None  # the first of each key has an outcome
    return Outcome("known", events=first.events) if first.state == "settled" else first


def explain_failure(work: Work, error: Exception) -> Outcome:
    """The outcome of a work that failed alone: the reason in words fit for its source."""
    event = work.events[0]
    if isinstance(error, NotReady):
        return Outcome("waiting", error.reason, error.retry_in)
    log.error("not settled", event_type=event.type, event_id=event.id, exc_info=error)
    if isinstance(error, GuerdonError):
        return Outcome("waiting", str(error))
    return Outcome("waiting", f"the database refused it ({type(error).__name__})")
