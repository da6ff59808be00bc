"""Pays events, exactly once: the payment and the row that says it was paid are one commit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from peewee import IntegrityError, PeeweeException

from app.crashing import reach
from app.database import Database
from app.errors import DatabaseUnavailable, GuerdonError, NotReady
from app.faults import classify_error
from app.granting import GatheredWrites, give_gift, group_grants
from app.hookspecs import Event, Grant, Outcome, Player
from app.ledger import find_misfit, find_settled, insert_events, insert_grants, insert_parts, key_of
from app.plugin_manager import Plugins
from app.recipients import Recipients
from app.reporting import build_reports, insert_reports
from app.rules import Gift, Rules
from app.turns import take_turns

log = structlog.get_logger()

DUPLICATE_TRIES = 3
LOCKED = "somebody else holds a lock on its rows"
LOCKS_WAITED_FOR = 2  # in one batch that fell apart


@dataclass(slots=True)
class Work:
    """The events of one delivery: paid together or not at all. `token` names who signed it."""

    events: Sequence[Event]
    token: str = ""
    keys: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = [key_of(event) for event in self.events]


@dataclass(slots=True)
class Line:
    """One event of a payment: what it earns, and who gets it."""

    event: Event
    key: bytes
    gifts: list[Gift]
    player: Player | None = None


@dataclass(slots=True)
class Payment:
    """One work on its way through a transaction, without the events that are settled already."""

    work: Work
    lines: list[Line]
    known: list[int]  # the row ids of the others, settled as part of something else
    grants: list[Grant] = field(default_factory=list)


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
        nobody else. A work that shares an event with an earlier one is settled after it.
        """
        planned: set[bytes] = set()
        places: list[int] = []
        for place, work in enumerate(works):
            if planned.isdisjoint(work.keys):
                planned.update(work.keys)
                places.append(place)
        outcomes = dict(zip(places, self._settle_batch([works[n] for n in places]), strict=True))
        firsts = {works[place].keys[0]: outcomes[place] for place in places}
        for place, work in enumerate(works):
            if place not in outcomes and (first := firsts.get(work.keys[0])):
                outcomes[place] = repeat_outcome(first)
            elif place not in outcomes:
                outcomes[place] = self._settle_batch([work], look_first=True)[0]
        return [outcomes[place] for place in range(len(works))]

    def _settle_batch(self, works: Sequence[Work], look_first: bool = False) -> list[Outcome]:
        try:
            return self._settle_together(works, look_first)
        except DatabaseUnavailable as error:
            return [Outcome("unavailable", str(error))] * len(works)
        except Exception as error:
            if len(works) == 1:
                return [explain_failure(works[0], error)]
        return self._settle_apart(works)

    def _settle_apart(self, works: Sequence[Work]) -> list[Outcome]:
        """One by one. Where rows stay locked the rest waits in the inbox instead of behind them."""
        outcomes: list[Outcome] = []
        for work in works:
            if [outcome.reason for outcome in outcomes].count(LOCKED) < LOCKS_WAITED_FOR:
                outcomes += self._settle_batch([work])
            else:
                outcomes.append(Outcome("waiting", LOCKED))
        return outcomes

    def _settle_together(self, works: Sequence[Work], look_first: bool) -> list[Outcome]:
        for tries_left in reversed(range(DUPLICATE_TRIES)):
            try:
                outcomes = self._database.transact(partial(self._pay, works, look_first))
                reach("settling: after COMMIT")
                return outcomes
            except IntegrityError as error:
                # Somebody settled one of them meanwhile: look, and settle the rest.
                if classify_error(error) != "duplicate" or not tries_left:
                    raise
            look_first = True
        raise AssertionError("the last try returns or raises")

    def _pay(self, works: Sequence[Work], look_first: bool, attempt: int) -> list[Outcome]:
        reach("settling: began")
        outcomes: dict[int, Outcome] = {}
        settled: dict[bytes, int] = {}
        if look_first or attempt:
            keys = [key for work in works for key in work.keys]
            settled = find_settled(self._database, keys)
        payments: dict[int, Payment] = {}
        for place, work in enumerate(works):
            if work.keys[0] in settled:
                outcomes[place] = Outcome("known", events=work.events)
            elif fault := find_misfit(work.events):
                outcomes[place] = Outcome("waiting", fault)
            else:
                payments[place] = self._plan(work, settled)
        for place, problem in self._find_players(payments).items():
            outcomes[place] = problem
            del payments[place]
        reach("settling: players found")
        self._write(list(payments.values()), look_first or attempt > 0)
        for place, payment in payments.items():
            events = [line.event for line in payment.lines]
            outcomes[place] = Outcome("settled", events=events, grants=payment.grants)
        reach("settling: before COMMIT")
        return [outcomes[place] for place in range(len(works))]

    def _plan(self, work: Work, settled: Mapping[bytes, int]) -> Payment:
        unpaid = {
            key: event
            for key, event in zip(work.keys, work.events, strict=True)
            if key not in settled
        }
        choose = self._rules.choose_gifts
        known = list({settled[key]: None for key in work.keys if key in settled})
        lines = [Line(event, key, choose(event)) for key, event in unpaid.items()]
        return Payment(work, lines, known)

    def _find_players(self, payments: dict[int, Payment]) -> dict[int, Outcome]:
        """Put the players of all events that earn something into the payments; the rest's outcomes."""
        earning = [
            (place, line)
            for place, payment in payments.items()
            for line in payment.lines
            if line.gifts
        ]
        answers = self._recipients.find([line.event for _, line in earning])
        problems: dict[int, Outcome] = {}
        for (place, line), answer in zip(earning, answers, strict=True):
            if isinstance(answer, Player):
                line.player = answer
            elif answer.state == "waiting" or place not in problems:
                problems[place] = answer
        return problems

    def _write(self, payments: Sequence[Payment], look_first: bool) -> None:
        """The events, their rewards, the ledger, the reports: all that one commit holds."""
        if not payments:
            return
        now = self._now()
        lines = [(payment, line) for payment in payments for line in payment.lines]
        take_turns(self._database, [line.player for _, line in lines if line.player is not None])
        events = [(line.key, line.event, payment.work.token) for payment, line in lines]
        ids = insert_events(self._database, events, now)
        families = [[*(ids[line.key] for line in one.lines), *one.known] for one in payments]
        insert_parts(self._database, families)
        reach("settling: events inserted")
        batch = GatheredWrites()
        ledger = []
        for payment, line in lines:
            for gift in line.gifts:
                assert line.player is not None  # _find_players left no payment without
                grant = give_gift(
                    self._plugins, self._database, gift, line.event, line.player, batch, now
                )
                payment.grants.append(grant)
                ledger.append((ids[line.key], grant, gift.params_json))
        reach("settling: rewards given")
        batch.flush(self._plugins, self._database)
        reach("settling: rewards written")
        insert_grants(self._database, ledger, now)
        reach("settling: grants inserted")
        if self._plugins.has("build_report"):
            mine = group_grants(grant for _, grant, _ in ledger)
            reports = [
                (ids[line.key], report)
                for _, line in lines
                for report in build_reports(self._plugins, line.event, mine[id(line.event)], now)
            ]
            insert_reports(self._database, reports, now, look_first)
            reach("settling: reports inserted")


def repeat_outcome(first: Outcome) -> Outcome:
    """The outcome of a second delivery of the same event in one batch."""
    return Outcome("known", events=first.events) if first.state == "settled" else first


def explain_failure(work: Work, error: Exception) -> Outcome:
    """The outcome of a work that failed alone: the reason in words fit for its source."""
    event = work.events[0]
    if isinstance(error, NotReady):
        return Outcome("waiting", error.reason, error.retry_in)
    log.error("not settled", event_type=event.type, event_id=event.id, exc_info=error)
    if isinstance(error, GuerdonError):
        return Outcome("waiting", str(error))
    if not isinstance(error, PeeweeException):
        return Outcome("waiting", f"it failed in a way nobody expected ({type(error).__name__})")
    if classify_error(error) == "locked":
        return Outcome("waiting", LOCKED)
    return Outcome("waiting", f"the database refused it ({type(error).__name__})")
