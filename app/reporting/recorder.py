"""Records how sends ended, many in one transaction."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from peewee import PeeweeException

from app.batching import Batcher
from app.database.models import Send
from app.database.opening import Database
from app.database.statements import cut_rows
from app.database.states import BoxState
from app.database.upserting import upsert_rows
from app.failpoints import reach
from app.porch.errors import DatabaseUnavailable
from app.reporting.sender import Sent
from app.reporting.store import LeasedReport

log = structlog.get_logger()

ANSWER_TIMEOUT = 10.0  # seconds for the database
PAUSE = 0.5  # seconds between tries
PATIENCE = 40.0  # seconds
UNSENT_PAUSE = 60_000  # ms, until somebody looks again whether a plugin sends it
LATE_PAUSE = 1_000  # ms, after which one that may no longer leave is begun again


@dataclass(frozen=True, slots=True)
class Ended:
    """A send that is over: the report as it was leased, what became of it, when (ms).

    `since` (ms): from when on its sends have been waited for. `due_at` (ms): when it is sent again,
    should it have failed; None: it is not.
    """

    row: LeasedReport
    sent: Sent
    at: int
    since: int
    due_at: int | None


class Recorder:
    """Records ends in a thread of its own, all that are there in one commit."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        """While `stopping` is set nothing is insisted on."""
        self._database = database
        self._stopping = stopping
        self._ending = Batcher("ending", self._end_asked, database.close)

    def stop(self) -> None:
        """Record what was asked for, then end the thread."""
        self._ending.stop()

    def record(self, ended: Ended) -> None:
        """Insist: what is not recorded is sent again. Raises what the last try raised."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if error := self._ending.process(ended, ANSWER_TIMEOUT):
                    raise error
                return
            except (DatabaseUnavailable, PeeweeException, TimeoutError):
                if self._stopping.is_set() or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE)

    def _end_asked(self, ended: list[Ended]) -> list[Exception | None]:
        """Record all in one commit; where that fails each alone, so that one costs nobody else."""
        self._database.keep_connection()
        try:
            record_ends(self._database, ended)
            return [None] * len(ended)
        except Exception as error:  # the driver's own too: one that no column takes
            if len(ended) == 1:
                return [error]
        return [self._end_asked([one])[0] for one in ended]


def record_ends(database: Database, ended: Sequence[Ended]) -> None:
    """Each send and what it means for its report; again is harmless."""

    def record(is_retry: bool) -> None:
        end_sends(database, ended)
        deliver_reports(database, [one for one in ended if one.sent.reply is not None])
        for one in ended:
            for sql, params in plan_changes(one):
                database.execute_sql(sql.replace("?", database.param), params)
        reach("recording: before COMMIT")

    database.transact(record)
    reach("recording: after COMMIT")
    for one in ended:
        tell_end(one)


def end_sends(database: Database, ended: Sequence[Ended]) -> None:
    """Write what became of the sends that were noted as begun, all in one statement."""
    rows = [
        {
            "report": one.row.id, "number": one.row.sends, "begun_at": one.at, "ended_at": one.at,
            "status": one.sent.status, "latency": one.sent.latency, "error": one.sent.error,
            "answer": one.sent.answer,
        }
        for one in ended
    ]  # fmt: skip
    news = dict.fromkeys(("ended_at", "status", "latency", "error", "answer"), "{new}")
    if rows:
        upsert_rows(database, Send, ("report", "number"), rows, news)


def deliver_reports(database: Database, ended: Sequence[Ended]) -> None:
    """The first success of a report stands, whoever holds the lease by now."""
    mark = database.param
    rows = [(one.row.id, one.sent.reply, one.at) for one in ended]
    for some in cut_rows(rows, database.bytes_at_once):
        whens = f"CASE id {f'WHEN {mark} THEN {mark} ' * len(some)}END"
        marks = ", ".join([mark] * len(some))
        sql = (
            f"UPDATE guerdon_reports SET state = '{BoxState.DELIVERED}', response = {whens},"
            f" delivered_at = {mark}, last_error = '' WHERE id IN ({marks})"
            f" AND state <> '{BoxState.DELIVERED}'"
        )
        ids = [id_ for id_, *_ in some]
        pairs = [value for id_, reply, _ in some for value in (id_, reply)]
        database.execute_sql(sql, [*pairs, max(at for *_, at in some), *ids])


# Where somebody else has leased the report since, his send has the next number, and ours is kept.
DROP_SEND = (
    "DELETE FROM guerdon_sends WHERE report = ? AND number = ?"
    " AND number > (SELECT sends FROM guerdon_reports WHERE id = ?)"
)
MINE = f" WHERE id = ? AND lease_token = ? AND state = '{BoxState.LEASED}'"
BURY = f"UPDATE guerdon_reports SET state = '{BoxState.DEAD}', last_error = ?{MINE}"
WAIT = (
    f"UPDATE guerdon_reports SET state = '{BoxState.READY}', due_at = ?, lease_until = ?, waiting_since = ?,"
    f" takes = 0, sends = ?, last_error = ?{MINE}"
)


def plan_changes(ended: Ended) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The statements, with their parameters, for a report that was not delivered, if it is still ours."""
    row, sent, mine = ended.row, ended.sent, (ended.row.id, ended.row.lease_token)
    if sent.is_unsent or sent.is_late:
        due = ended.at + (LATE_PAUSE if sent.is_late else UNSENT_PAUSE)
        yield WAIT, (due, ended.at, ended.since, row.sends - 1, sent.error, *mine)
        yield DROP_SEND, (row.id, row.sends, row.id)
    elif sent.reply is None and ended.due_at is None:
        yield BURY, (sent.error, *mine)
    elif sent.reply is None:
        yield WAIT, (ended.due_at, ended.at, ended.since, row.sends, sent.error, *mine)


def tell_end(ended: Ended) -> None:
    row, sent = ended.row, ended.sent
    told = log.bind(
        reporter=row.reporter, kind=row.kind, key=row.key, report=row.id,
        sends=row.sends, status=sent.status, latency_ms=sent.latency,
    )  # fmt: skip
    if sent.reply is not None:
        told.info("delivered")
    elif sent.is_unsent or sent.is_late or ended.due_at is not None:
        told.warning("not delivered", reason=sent.error)
    else:
        told.error("report is dead", reason=sent.error)
