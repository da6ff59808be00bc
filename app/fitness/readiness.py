"""Would a vote be kept now? Found out by a write of our own, committed, that leaves nothing behind."""

import threading
import time

from peewee import PeeweeException

from app.database.complaints import name_reason_briefly
from app.database.models import Heartbeat
from app.database.opening import Database
from app.fitness.durability import inspect_durability
from app.porch.errors import DatabaseUnavailable

KEPT = 5.0  # seconds: what was found out is true for so long
UNFIT_KEPT = 1.0  # seconds, so that a database that is back is soon used again
PATIENCE = 2.0  # seconds in which a lost connection is replaced
FILLING = bytes(16_384)  # more than fits on a page: on a full disk there is no room for it


class Readiness:
    """One answer for whoever asks within a few seconds."""

    def __init__(self, database: Database, is_durable: bool) -> None:
        self._database = database
        self._is_durable = is_durable
        self._lock = threading.Lock()
        self._until = 0.0
        self._reason = ""

    def require(self) -> None:
        """Raise DatabaseUnavailable where a write would not be kept; the reason names no table."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._reason = self._find_reason()
                self._until = time.monotonic() + (UNFIT_KEPT if self._reason else KEPT)
            reason = self._reason
        if reason:
            raise DatabaseUnavailable(reason)

    def _find_reason(self) -> str:
        try:
            return self._database.transact(self._write, PATIENCE)
        except DatabaseUnavailable as error:
            return str(error)
        except PeeweeException as error:
            return f"the database keeps no write: {name_reason_briefly(error)}"

    def _write(self, is_retry: bool) -> str:
        """Once really, with nothing left of it: why a payment would be for nothing, or ""."""
        if any(inspect_durability(self._database, self._is_durable)):
            return "the database does not keep what is committed"
        row = Heartbeat.insert(filling=FILLING).execute()
        Heartbeat.delete().where(Heartbeat.id == row).execute()
        return ""
