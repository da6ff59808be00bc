"""Remembers for a while what failed, so that it costs its neighbours nothing when it comes again.

A process remembers by itself, and only for speed: whatever it has forgotten is found out anew.
"""

import threading
from collections.abc import Hashable, Iterable, Iterator

from app.paying.payments import Payment, Work
from app.porch.types import OutcomeState

MOST = 1000  # of each kind; the oldest are forgotten


class Suspects:
    """Works, and gifts of rules, that failed and have not worked since; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[Hashable, None] = {}
        self._spoilers: dict[Hashable, None] = {}

    def are_there(self) -> bool:
        return bool(self._failed)

    def needs_care(self, payment: Payment) -> bool:
        """Whether it, or one of its gifts, failed lately: what it writes must be undone alone."""
        return any(name in self._failed for name in name_parts(payment))

    def note_failure(self, payment: Payment) -> None:
        """It failed in a plugin's hands, at the gift it was being given if at any."""
        names: list[Hashable] = [payment.work.keys[0]]
        if payment.giving is not None:
            names.append((payment.giving.rule, payment.giving.params_json))
        self._remember(self._failed, names)

    def note_end(self, payment: Payment) -> None:
        """Its transaction is kept: with it, or at least unharmed by it."""
        if self._spoilers:
            self._forget(self._spoilers, [payment.work.keys[0]])
        if self._failed and payment.outcome and payment.outcome.state == OutcomeState.SETTLED:
            self._forget(self._failed, name_parts(payment))

    def spoils_batches(self, work: Work) -> bool:
        """Whether its whole batch failed for it lately: it is settled by itself."""
        return work.keys[0] in self._spoilers

    def note_spoiler(self, work: Work) -> None:
        self._remember(self._spoilers, [work.keys[0]])

    def _remember(self, names: dict[Hashable, None], new: Iterable[Hashable]) -> None:
        with self._lock:  # another thread may forget the oldest at this moment
            for name in new:
                names.pop(name, None)
                names[name] = None  # the newest is the last
                if len(names) > MOST:
                    del names[next(iter(names))]

    def _forget(self, names: dict[Hashable, None], over: Iterable[Hashable]) -> None:
        with self._lock:
            for name in over:
                names.pop(name, None)


def name_parts(payment: Payment) -> Iterator[Hashable]:
    yield payment.work.keys[0]
    for line in payment.lines:
        for gift in line.gifts:
            yield gift.rule, gift.params_json
