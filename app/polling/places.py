"""Where the poll of each source has got to; kept in the commit that keeps what it brought."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from peewee import PeeweeException

from app.database.error_kinds import ErrorKind, classify_error
from app.database.opening import Database
from app.database.source_models import Poll
from app.database.states import AttemptKind
from app.failpoints import reach
from app.paying.parking import park
from app.paying.receiving import check_delivery
from app.porch.errors import GuerdonError
from app.porch.json import dump_json
from app.porch.types import Delivery

TOKEN = "polled"  # noqa: S105  (stands where the name of the token does that signed a delivery)
AT_ONCE = 200  # deliveries in a commit
LONGEST_PLACE = 60_000  # bytes
SHORTEST, LONGEST = 1.0, 86400.0  # seconds between two polls
LONGEST_REASON = 500  # characters
WHY = "its site was asked"


class Overtaken(GuerdonError):
    """Somebody else has polled the same source meanwhile; what he kept is kept."""


@dataclass(frozen=True)
class Polled:
    """What a poll brought: deliveries, the new place as JSON, seconds until the next, and what failed."""

    deliveries: Sequence[Delivery]
    place: str
    pause: float
    fault: str


def read_polled(answer: Any) -> Polled:
    """What a plugin's poll_source returned, checked; raises TypeError or ValueError for what it may not."""
    if not isinstance(answer, tuple) or len(answer) not in (3, 4):
        raise TypeError("poll_source must return (deliveries, place, seconds until the next)")
    deliveries, place, pause, fault = (*answer, "")[:4]
    for one in deliveries:
        check_delivery(one)
    text = dump_json(place)
    if len(text.encode()) > LONGEST_PLACE:
        raise ValueError(f"poll_source returned a place of more than {LONGEST_PLACE} bytes")
    if not isinstance(pause, int | float) or not math.isfinite(pause):
        raise TypeError("poll_source must return the seconds until the next poll")
    wanted = [one for one in deliveries if not (one.is_test or one.ignored)]
    return Polled(wanted, text, min(max(pause, SHORTEST), LONGEST), str(fault)[:LONGEST_REASON])


class Places:
    """The rows of the polls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, source: str) -> Poll:
        """The row of a source; one that was never polled is due."""
        row = self._database.read(lambda: Poll.get_or_none(Poll.source == source))
        return row or Poll(source=source, version=0, place="null", due_at=0, polled_at=0, reason="")

    def keep(self, row: Poll, polled: Polled, now: int) -> int:
        """Keep what a poll of this row brought; how many deliveries were new. `now` in ms.

        The place comes with the last of them: killed before, it is asked for them again. Raises Overtaken.
        """
        some = list(polled.deliveries)
        new = 0
        while len(some) > AT_ONCE:
            new += self._transact(partial(self._park, some[:AT_ONCE], now))
            some = some[AT_ONCE:]
        due_at = now + int(polled.pause * 1000)
        changes = {
            "place": polled.place,
            "due_at": due_at,
            "polled_at": now,
            "reason": polled.fault,
        }

        def end(is_retry: bool) -> int:
            count = self._park(some, now, is_retry)
            self._move(row, changes)
            reach("polling: kept, before COMMIT")
            return count

        new += self._transact(end)
        reach("polling: kept, after COMMIT")
        return new

    def note_failure(self, row: Poll, reason: str, due_at: int, now: int) -> None:
        """Its site gave no answer: the place stays. Raises Overtaken."""
        changes = {"due_at": due_at, "polled_at": now, "reason": reason[:LONGEST_REASON]}
        self._database.transact(lambda is_retry: self._move(row, changes))

    def _park(self, some: Sequence[Delivery], now: int, is_retry: bool) -> int:
        if not some:
            return 0
        return park(self._database, some, now, WHY, is_retry, TOKEN, AttemptKind.POLLED)

    def _move(self, row: Poll, changes: dict[str, Any]) -> None:
        """Inside: write the row, unless somebody else has since it was read."""
        told: Any = {**changes, "version": row.version + 1}
        if row.version:
            mine = (Poll.source == row.source) & (Poll.version == row.version)
            if not Poll.update(told).where(mine).execute():
                raise Overtaken(f"{row.source} was polled by somebody else meanwhile")
        else:
            Poll.insert({"place": row.place, **told, "source": row.source}).execute()

    def _transact(self, unit: Any) -> int:
        """As park_missing: of two who insert the same row the second sees it then."""
        try:
            return int(self._database.transact(unit))
        except PeeweeException as error:
            if classify_error(error) != ErrorKind.DUPLICATE:
                raise
            return int(self._database.transact(unit))


def read_place(row: Poll) -> Any:
    """The place as the plugin returned it; None where it never did."""
    return json.loads(str(row.place))
