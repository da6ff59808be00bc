"""Pays events, exactly once: the payment and the row that says it was paid are one commit.

A batch is one commit. What cannot be paid leaves it, and the rest is paid together.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from peewee import IntegrityError

from app.counting.programme import Programme
from app.counting.writing import CounterRaced
from app.database.error_kinds import ErrorKind, classify_error
from app.database.opening import Database
from app.failpoints import reach
from app.host.loading import Plugins
from app.metrics.families import COMMIT_SECONDS
from app.paying.keeping import Keeping
from app.paying.ledger import find_misfit
from app.paying.payer import Payer
from app.paying.payments import (
    LOCKED,
    NothingPaid,
    NotTogether,
    Payment,
    Spoilt,
    Work,
    repeat_outcome,
)
from app.paying.recipients import Recipients
from app.paying.repeats import make_recent_key
from app.paying.suspects import Suspects
from app.porch.errors import ConnectionLost, DatabaseUnavailable
from app.porch.types import Outcome, OutcomeState

__all__ = ["Settler", "Work"]

DUPLICATE_TRIES = 3
LOCKS_WAITED_FOR = 2  # in one batch that met a lock


class Settler:
    """Settles batches of works; each `settle` call is one transaction where nothing goes wrong."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        programme: Programme,
        recipients: Recipients,
        now: Callable[[], int],
        keeping: Keeping | None = None,
        make_payer: Callable[..., Payer] = Payer,
    ) -> None:
        """`now` gives ms since the epoch; `make_payer` takes Payer's arguments.

        `keeping` keeps what cannot be paid in the commit of what came with it.
        """
        self._database = database
        self._suspects = Suspects()
        self._payer = make_payer(
            database, plugins, programme, recipients, self._suspects, now, keeping
        )

    def settle(self, works: Sequence[Work]) -> list[Outcome]:
        """An outcome for each work, in order. Never raises for what a work or a plugin did wrong.

        A work that shares an event with an earlier one is settled after it; so is, by itself, one for
        which a whole batch failed before.
        """
        payments = [Payment(work) for work in works]
        together, alone, later = self._arrange(payments)
        self._settle_batch(together)
        for payment in alone:
            self._settle_batch([payment])
        firsts = {payment.work.keys[0]: payment for payment in (*together, *alone)}
        for payment in later:
            if (first := firsts.get(payment.work.keys[0])) and first.outcome:
                payment.outcome = repeat_outcome(first.outcome)
            else:
                self._settle_batch([payment], look_first=True)
        return list_outcomes(payments)

    def settle_within(self, works: Sequence[Work]) -> list[Payment]:
        """Inside somebody's transaction: pay all of these; once it is kept, he says so to `note_kept`.

        Raises NotTogether where one of them cannot be paid with the others, and CounterRaced or what the
        database says: then the transaction has to be undone.
        """
        payments = [Payment(work) for work in works]
        together, alone, later = self._arrange(payments)
        if alone or later:
            raise NotTogether("one of them is to be settled by itself")
        try:
            self._payer.pay(together, look_first=False)
        except (Spoilt, NothingPaid) as error:
            raise NotTogether(str(error)) from error
        if any(outcome.state != OutcomeState.SETTLED for outcome in list_outcomes(together)):
            raise NotTogether("one of them cannot be paid now")
        return together

    def note_kept(self, payments: Sequence[Payment]) -> list[Outcome]:
        """Their transaction is kept; what became of each."""
        reach("settling: after COMMIT")
        for payment in payments:
            self._suspects.note_end(payment)
        return list_outcomes(payments)

    def _arrange(
        self, payments: Sequence[Payment]
    ) -> tuple[list[Payment], list[Payment], list[Payment]]:
        """Those for one batch, those for a commit each, and those that repeat an event of these."""
        together: list[Payment] = []
        alone: list[Payment] = []
        later: list[Payment] = []
        planned: set[bytes] = set()
        for payment in payments:
            keys = {*payment.work.keys, *list_likenesses(payment.work)}
            if not planned.isdisjoint(keys):
                later.append(payment)
                continue
            planned.update(keys)
            (alone if self._suspects.spoils_batches(payment.work) else together).append(payment)
        return together, alone, later

    def _settle_batch(self, payments: Sequence[Payment], look_first: bool = False) -> None:
        """Every payment has its outcome afterwards."""
        if not payments:
            return
        error = self._try_together(payments, look_first)
        if isinstance(error, Spoilt):
            self._settle_batch(take_out(payments, error), look_first)
        elif error is not None:
            self._settle_parts(payments, error)

    def _try_together(self, payments: Sequence[Payment], look_first: bool) -> Exception | None:
        """What was raised, to be handled outside: a later error must not be taken for its consequence."""
        try:
            self._commit(payments, look_first)
        except Exception as error:
            return error
        return None

    def _commit(self, payments: Sequence[Payment], look_first: bool) -> None:
        """One transaction. Events that somebody settled meanwhile are looked for, and the rest is paid."""
        for tries_left in reversed(range(DUPLICATE_TRIES)):
            try:
                began = time.monotonic()
                self._database.transact(partial(self._pay, payments, look_first))
                COMMIT_SECONDS[()].observe(time.monotonic() - began)
                break
            except NothingPaid:
                break
            except CounterRaced:
                if not tries_left:
                    raise
            except IntegrityError as error:
                if classify_error(error) != ErrorKind.DUPLICATE or not tries_left:
                    raise
            look_first = True
        self.note_kept(payments)

    def _pay(self, payments: Sequence[Payment], look_first: bool, is_retry: bool) -> None:
        self._payer.pay(payments, look_first or is_retry)

    def _settle_parts(self, payments: Sequence[Payment], error: Exception) -> None:
        """After an error that names nobody: halve the batch until who failed is alone."""
        if isinstance(error, DatabaseUnavailable) and not isinstance(error, ConnectionLost):
            for payment in payments:
                payment.outcome = Outcome(OutcomeState.UNAVAILABLE, str(error))
        elif len(payments) == 1:
            self._give_up(payments[0], error)
        elif classify_error(error) == ErrorKind.LOCKED:
            self._settle_apart(payments)
        else:
            middle = len(payments) // 2
            self._settle_batch(payments[:middle])
            self._settle_batch(payments[middle:])

    def _give_up(self, payment: Payment, error: Exception) -> None:
        payment.fail(error)
        if not payment.met_lock:
            self._suspects.note_spoiler(payment.work)

    def _settle_apart(self, payments: Sequence[Payment]) -> None:
        """One by one: each lock is waited for. After some the rest waits in the inbox instead."""
        locks = 0
        for payment in payments:
            if locks == LOCKS_WAITED_FOR:
                payment.outcome = Outcome(OutcomeState.WAITING, LOCKED)
                continue
            self._settle_batch([payment])
            locks += payment.met_lock


def list_outcomes(payments: Sequence[Payment]) -> list[Outcome]:
    return [payment.outcome for payment in payments if payment.outcome]


def list_likenesses(work: Work) -> list[bytes]:
    """What a work's events have in common with others that they may not come too soon after.

    What no column takes has nothing in common with anything, and is told later.
    """
    return [
        make_recent_key(event, f"{event.nickname.strip().casefold()}\0{event.user_id}")
        for event in work.events
        if event.not_within and not find_misfit([event])
    ]


def take_out(payments: Sequence[Payment], spoilt: Spoilt) -> list[Payment]:
    """Give the culprits their outcomes; those to be paid without them, from now on with care.

    A duplicate is tried once more: somebody else may just have been first.
    """
    for culprit, error in spoilt.culprits:
        if culprit.is_careful or classify_error(error) != ErrorKind.DUPLICATE:
            culprit.fail(error)
    out = [id(culprit) for culprit, _ in spoilt.culprits if culprit.outcome]
    rest = [payment for payment in payments if id(payment) not in out]
    for payment in rest:
        payment.is_careful = True
    return rest
