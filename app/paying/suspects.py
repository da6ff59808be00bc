"""Remembers for a while what failed, so that it costs its neighbours nothing when it comes again.

A process remembers by itself, and only for speed: whatever it has forgotten is found out anew.
"""

from collections.abc import Hashable, Iterator

from app.paying.payments import Payment, Work
from app.porch.types import OutcomeState

MOST = 1000  # of each kind; the oldest are forgotten


class Suspects:
    """Works, and gifts of rules, that failed and have not worked since."""

    def __init__(self) -> None:
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
        for name in names:
            remember(self._failed, name)

    def note_end(self, payment: Payment) -> None:
        """Its transaction is kept: with it, or at least unharmed by it."""
        if self._spoilers:
            self._spoilers.pop(payment.work.keys[0], None)
        if self._failed and payment.outcome and payment.outcome.state == OutcomeState.SETTLED:
            for name in name_parts(payment):
                self._failed.pop(name, None)

    def spoils_batches(self, work: Work) -> bool:
        """Whether its whole batch failed for it lately: it is settled by itself."""
        return work.keys[0] in self._spoilers

    def note_spoiler(self, work: Work) -> None:
        remember(self._spoilers, work.keys[0])


def name_parts(payment: Payment) -> Iterator[Hashable]:
    yield payment.work.keys[0]
    for line in payment.lines:
        for gift in line.gifts:
            yield gift.rule, gift.params_json


def remember(names: dict[Hashable, None], name: Hashable) -> None:
    names.pop(name, None)
    names[name] = None  # the newest is the last
    if len(names) > MOST:
        del names[next(iter(names))]
