"""Notes what begins and what ends, of all sends under way here, many in one commit."""

import threading
import time
from collections.abc import Sequence

from peewee import PeeweeException

from app.batching import Batcher
from app.database.opening import Database
from app.delivering.store import Begun, Ended, note
from app.porch.errors import DatabaseUnavailable

ANSWER_TIMEOUT = 10.0  # seconds for the database
PAUSE = 0.5  # seconds between tries
PATIENCE = 40.0  # seconds; what is not noted by then is unknown
Change = Begun | Ended


class Notes:
    """A thread of its own writes them; whoever asks waits until it is committed."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        """While `stopping` is set nothing is insisted on."""
        self._database = database
        self._stopping = stopping
        self._writing = Batcher("noting claims", self._write, database.close, limit=32)

    def stop(self) -> None:
        """Write what was asked for, then end the thread."""
        self._writing.stop()

    def begin(self, begun: Begun, ended: Ended | None = None) -> bool:
        """A send begins, and another one's end is noted with it; whether the row was still ours.

        Raises what the database raised: nothing may be sent then.
        """
        return self._ask([*filter(None, [ended]), begun])[-1]

    def end(self, ended: Ended) -> None:
        """Insist: what is not noted is unknown. Raises what the last try raised."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._ask([ended])
                return
            except (DatabaseUnavailable, PeeweeException, TimeoutError):
                if self._stopping.is_set() or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE)

    def _ask(self, changes: Sequence[Change]) -> list[bool]:
        written = self._writing.process(changes, ANSWER_TIMEOUT)
        if isinstance(written, Exception):
            raise written
        return written

    def _write(self, asked: list[Sequence[Change]]) -> list[list[bool] | Exception]:
        """All in one commit; where that fails each alone, so that one costs nobody else."""
        self._database.keep_connection()
        try:
            done = iter(note(self._database, [change for some in asked for change in some]))
            return [[next(done) for _ in some] for some in asked]
        except Exception as error:
            if len(asked) == 1:
                return [error]
        return [one for some in asked for one in self._write([some])]
