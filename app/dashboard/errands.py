"""What a person has begun on a page and what takes longer than a page may: a thread does it, pages show it.

It is kept in this process alone. What must be known for ever is kept by what is done, as an act.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, current_app
from peewee import PeeweeException

from app.database.words import explain_database_error
from app.guerdon import Guerdon
from app.porch.errors import DatabaseUnavailable, GuerdonError

log = structlog.get_logger()

AT_ONCE = 4  # threads
KEPT = 30  # errands that have ended


@dataclass
class Errand:
    """Something that is being done, or was: times in ms, `result` once it has ended without an `error`.

    Of `number` steps `passed` are behind it; both are 0 where nobody counts.
    """

    name: str
    begun_at: int
    ended_at: int | None = None
    result: Any = None
    error: str = ""
    passed: int = 0
    number: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    def follow(self, items: Sequence[Any]) -> Iterator[Any]:
        """The items, counted as they are taken."""
        self.passed, self.number = 0, len(items)
        for item in items:
            yield item
            self.passed += 1


Work = Callable[[Errand], Any]


class Errands:
    """The errands of this process, by their names."""

    def __init__(self, guerdon: Guerdon) -> None:
        self._guerdon = guerdon
        self._lock = threading.Lock()
        self._errands: dict[str, Errand] = {}
        self._threads: list[threading.Thread] = []

    def find(self, name: str) -> Errand | None:
        """The last one of this name; None where there is none, or it was long ago."""
        return self._errands.get(name)

    def begin(self, name: str, work: Work) -> Errand:
        """Have it done. Raises GuerdonError where it is being done already, or too much else is."""
        with self._lock:
            running = [one.name for one in self._errands.values() if one.is_running]
            if name in running:
                raise GuerdonError("this is being done already")
            if len(running) >= AT_ONCE:
                raise GuerdonError(
                    f"{AT_ONCE} other things are being done: wait until one has ended"
                )
            self._errands.pop(name, None)
            errand = self._errands[name] = Errand(name, self._guerdon.now())
            self._forget_old()
            thread = threading.Thread(target=self._run, args=(errand, work), name=name, daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
        return errand

    def stop(self, seconds: float) -> bool:
        """Wait for what is being done, but not for long; whether all of it has ended.

        While it has not, connections must stay open; to be killed then harms nothing that is done here.
        """
        self._guerdon.reconciler.stop()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def forget(self, name: str) -> None:
        """Of what is not to be shown any more."""
        with self._lock:
            self._errands.pop(name, None)

    def _forget_old(self) -> None:
        ended = [one.name for one in self._errands.values() if not one.is_running]
        for name in ended[: max(0, len(ended) - KEPT)]:
            del self._errands[name]

    def _run(self, errand: Errand, work: Work) -> None:
        try:
            errand.result = work(errand)
        except (DatabaseUnavailable, GuerdonError) as error:
            errand.error = str(error) or "it was cut off"
        except PeeweeException as error:
            errand.error = f"the database does not answer: {explain_database_error(error)}"
        except Exception as error:
            log.error("errand failed", kind=errand.name.partition(" ")[0], exc_info=error)
            errand.error = "that is a fault of ours: the dashboard's log says what happened"
        finally:
            self._guerdon.database.close()  # this thread's connection
            errand.ended_at = self._guerdon.now()


def add_errands(app: Flask, guerdon: Guerdon) -> None:
    """Have views know them."""
    app.extensions["errands"] = Errands(guerdon)


def get_errands() -> Errands:
    """Those of this process."""
    errands: Errands = current_app.extensions["errands"]
    return errands
