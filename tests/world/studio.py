"""A studio's reporter, and the network between it and its platform in the hands of a test."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.database.models import Report, Send
from app.guerdon import Guerdon
from app.network.client import HttpResponse
from app.porch.errors import NetworkFailed
from app.reporting.outbox import Outbox
from app.testing.waiting import wait_until
from tests.world.books import make_work, settle

REPORTER = """
import app
from app import Report, Schedule, hookimpl
from marshmallow import Schema

class Section(Schema):
    secret = app.SecretField(load_default=None)

@hookimpl
def settings_schema():
    return Section

@hookimpl
def build_report(event):
    body = {"id": event.id, "at": event.occurred_at, "token": "hush-hush"}
    return Report("NAME", event.type, event.id, app.dump_json(body).encode())

@hookimpl
def plan_sending(reporter):
    return Schedule(PLAN) if reporter == "NAME" else None

@hookimpl
def send_report(report, http, now):
    if report.reporter == "NAME":
        url, headers = "https://NAME.example/in", {"Authorization": "Basic Ym9iOnBhc3M="}
        answer = http.request("POST", url, body=report.body, headers=headers)
        return app.read_reply(answer, now)
"""


def make_reporter(name: str = "studio", plan: str = "delays=[60, 60, 60]") -> str:
    """The source of a plugin that reports every event and has it sent as Schedule(`plan`) says."""
    return REPORTER.replace("NAME", name).replace("PLAN", plan)


@dataclass(frozen=True)
class Asked:
    """One request of a reporter."""

    url: str
    body: bytes


class Network:
    """Stands where app.network.Http does: `answer` says what comes back, and may take its time."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], HttpResponse] = lambda asked: reply()
        self.under_way = self.peak = 0
        self._lock = threading.Lock()

    def request(
        self, method: str, url: str, *, body: bytes | None = None, **options: Any
    ) -> HttpResponse:
        asked = Asked(url, body or b"")
        with self._lock:
            self.asked.append(asked)
            self.under_way += 1
            self.peak = max(self.peak, self.under_way)
        try:
            return self.answer(asked)
        finally:
            with self._lock:
                self.under_way -= 1

    def close(self) -> None:
        """There is nothing to close."""


def reply(
    body: bytes | str = '{"ok": 1}', status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return HttpResponse(status, headers or {}, body if isinstance(body, bytes) else body.encode())


def refuse(asked: Asked) -> HttpResponse:
    """Nobody is there."""
    raise NetworkFailed("no connection")


def queue_reports(guerdon: Guerdon, *ids: str) -> None:
    """Settle an event of each id, all in one commit; their reports are queued with them."""
    outcomes = settle(guerdon, *map(make_work, ids))
    assert {outcome.state for outcome in outcomes} == {"settled"}


def send_due(guerdon: Guerdon) -> None:
    """Send what is due and may be sent now, once; returns when all of it has ended."""
    guerdon.outbox.serve_once()
    await_ends(guerdon.outbox)


def await_ends(outbox: Outbox) -> None:
    """Until nothing is under way any more."""
    wait_until(lambda: not outbox.under_way.count(), pause=0.005)


def list_reports(guerdon: Guerdon, **wanted: Any) -> list[Any]:
    """The rows of the reports with these values, in order."""
    with guerdon.database.connection_context():
        query = Report.select().order_by(Report.id)
        return list(query.filter(**wanted) if wanted else query)


def list_sends(guerdon: Guerdon, key: str) -> list[Any]:
    """The rows of all sends of the report with this key, in order."""
    with guerdon.database.connection_context():
        ids = Report.select(Report.id).where(Report.key == key)
        return list(Send.select().where(Send.report << ids).order_by(Send.id))
