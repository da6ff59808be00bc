"""Much work on a database in small transactions, so that deliveries are paid in between."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from app.database.opening import Database

ROWS_AT_ONCE = 200
BREATH = 0.02  # seconds; whoever waits for SQLite's one writer looks several times in it


def run_in_chunks(
    database: Database,
    items: Sequence[Any],
    change: Callable[[Sequence[Any]], int],
    progress: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> int:
    """Have `change(some)` called in a transaction of its own for each 200 of `items`; its counts' sum.

    It may be called again for the same items where a transaction was undone. `progress` yields the
    chunks it is given and shows how far they are.
    """
    chunks = [items[start : start + ROWS_AT_ONCE] for start in range(0, len(items), ROWS_AT_ONCE)]
    count = 0
    for number, chunk in enumerate(progress(chunks)):
        if number:
            time.sleep(BREATH)
        count += database.transact(partial(change_some, change, chunk))
    return count


def change_some(change: Callable[[Sequence[Any]], int], some: Sequence[Any], is_retry: bool) -> int:
    return change(some)
