"""Changes to tables that others use meanwhile: whoever waits for a table lets those behind him through.

A statement that changes a table waits for everybody who reads it, as for a backup's dump, and everybody who
comes later waits behind it: votes would fail for as long as the dump takes. So it waits for a second, stands
back until the others had their turn, and tries again.
"""

import re
import time
from contextlib import suppress
from typing import Any

from pymysql.cursors import Cursor
from pymysql.err import MySQLError, OperationalError

CHANGES = re.compile(r"\s*(ALTER\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|DROP\s+INDEX)\b", re.IGNORECASE)
LOCKED = 1205
WAIT = 1  # seconds in the way of others; a vote waits for two
STEP_BACK = 2.0  # seconds


class YieldingCursor(Cursor):
    """Executes changes to tables so, for as long as its session may wait for a table; all else as ever."""

    def execute(self, query: Any, args: Any = None) -> int:
        if not CHANGES.match(str(query)):
            return super().execute(query, args)
        super().execute("SELECT @@SESSION.lock_wait_timeout")
        [patience] = self.fetchone() or [0]
        super().execute(f"SET SESSION lock_wait_timeout = {WAIT}")
        try:
            return self._change(query, args, time.monotonic() + patience)
        finally:
            with suppress(MySQLError):  # where the connection is lost, the change has said so
                super().execute(f"SET SESSION lock_wait_timeout = {patience}")

    def _change(self, query: Any, args: Any, deadline: float) -> int:
        while True:
            try:
                return super().execute(query, args)
            except OperationalError as error:
                if error.args[0] != LOCKED or time.monotonic() > deadline:
                    raise
            time.sleep(STEP_BACK)
