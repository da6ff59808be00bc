"""/v1/events and /v1/reports, for game servers: what happened in, what the platforms said out."""

import time
from typing import Any

import structlog
from flask import Response, g, request
from flask_smorest import abort
from peewee import PeeweeException
from werkzeug.http import parse_dict_header

from app.database.states import BoxState
from app.failpoints import reach
from app.guerdon import Guerdon
from app.history.reports import describe_report_fully, find_report
from app.history.states import EventState
from app.history.timeline import summarize_event
from app.metrics.families import DELIVERIES, DELIVERY_SECONDS
from app.porch.errors import DatabaseUnavailable
from app.porch.rounds import GAME_SERVER, list_game_events
from app.porch.types import Delivery, Outcome, OutcomeState
from app.web import examples
from app.web.answers import EventAnswer, ReportAnswer
from app.web.game_schemas import GameSettle, GameStart, LevelUp
from app.web.v1 import get_guerdon, show, v1, with_database

log = structlog.get_logger()

USUAL_WAIT = 5.0  # seconds
LONGEST_WAIT = 30
FINAL = (BoxState.DELIVERED, BoxState.DEAD)
PREFER = {
    "in": "header", "name": "Prefer", "schema": {"type": "string"}, "example": "wait=5",
    "description": f"`wait=SECONDS` (RFC 7240): how long to wait for the platforms' replies;"
    f" {USUAL_WAIT:.0f} by default, {LONGEST_WAIT} at most.",
}  # fmt: skip
EVENTS: dict[str, Any] = {"tags": ["Events"], "parameters": [PREFER]}
ANSWER = EventAnswer()
ALL_DONE = "It is settled, and all of its reports are delivered"
STILL_OPEN = "Stored; a report is still on its way, or dead; or the event waits"


@v1.post("/events/level_up", **EVENTS)
@v1.arguments(LevelUp, example=examples.LEVEL_UP)
@v1.response(200, EventAnswer, description=ALL_DONE)
@v1.alt_response(202, schema=EventAnswer, description=STILL_OPEN)
def level_up(body: dict[str, Any]) -> Response:
    """A player reached a level; once for each uid, server_id and level.

    What it earns is paid and what it tells the platforms is queued in one commit. Post it again as
    often as you like: the answer is the same, and nothing is paid or told twice.
    """
    return take_event("level_up", body)


@v1.post("/events/game_start", **EVENTS)
@v1.arguments(GameStart, example=examples.GAME_START)
@v1.response(200, EventAnswer, description=ALL_DONE)
@v1.alt_response(202, schema=EventAnswer, description=STILL_OPEN)
def game_start(body: dict[str, Any]) -> Response:
    """A round began; once for each game_round_id.

    The round's fields may also stand beside `uid` and `ss_token`, without `report_msg`. More fields
    than these are kept and passed on.
    """
    return take_event("game_start", body)


@v1.post("/events/game_settle", **EVENTS)
@v1.arguments(GameSettle, example=examples.GAME_SETTLE)
@v1.response(200, EventAnswer, description=ALL_DONE)
@v1.alt_response(202, schema=EventAnswer, description=STILL_OPEN)
def game_settle(body: dict[str, Any]) -> Response:
    """A round ended, with these results; once for each game_round_id.

    Each human in `results` is an event of its own, which the rules may pay; all are paid in one
    commit, once, whoever else tells of the same round.
    """
    return take_event("game_settle", body)


def take_event(type: str, body: dict[str, Any]) -> Response:
    """Pay an event and report it; the same event again gets the same answer.

    200 when every report is delivered within `Prefer: wait=SECONDS`, 202 when something is still to
    come, 503 when the event could not be stored.
    """
    guerdon = get_guerdon()
    event = list_game_events(type, body)[0]
    reach("event: checked")
    accept_event(guerdon, Delivery(GAME_SERVER, type, event.id, token=g.key_name, data=body))
    answer = summarize(guerdon, type, event.id)
    waiting = [report["id"] for report in answer["reports"] if report["state"] not in FINAL]
    if waiting:
        wait_for_reports(guerdon, waiting, read_wait())
        answer = summarize(guerdon, type, event.id)
    is_done = answer["event"]["state"] == EventState.SETTLED and all(
        report["state"] == BoxState.DELIVERED for report in answer["reports"]
    )
    response = show(ANSWER, answer)
    response.status_code = 200 if is_done else 202
    reach("event: before the answer")
    return response


def accept_event(guerdon: Guerdon, delivery: Delivery) -> None:
    began = time.monotonic()
    try:
        guerdon.require_fit_database()
        outcome = guerdon.deliveries.accept(delivery)
    except DatabaseUnavailable:
        outcome = Outcome(OutcomeState.UNAVAILABLE, "the database is not ready")
    DELIVERIES[GAME_SERVER, outcome.state].inc()
    DELIVERY_SECONDS[GAME_SERVER].observe(time.monotonic() - began)
    if outcome.state != OutcomeState.UNAVAILABLE:
        return
    reason = outcome.reason
    log.error("not stored", event_type=delivery.type, event_id=delivery.id, reason=reason)
    abort(503, message=f"not stored: {reason}", headers={"Retry-After": "5"})


@with_database
def summarize(guerdon: Guerdon, type: str, id: str) -> dict[str, Any]:
    return summarize_event(GAME_SERVER, type, id)


def wait_for_reports(guerdon: Guerdon, ids: list[int], seconds: float) -> None:
    """Send them and wait; no connection is held meanwhile. An outage only ends the waiting."""
    try:
        guerdon.outbox.wait_for(ids, seconds)
    except (PeeweeException, DatabaseUnavailable, TimeoutError) as error:
        log.warning("reports wait", reports=ids, reason=type(error).__name__)


def read_wait() -> float:
    """Seconds of `Prefer: wait=SECONDS` (RFC 7240); the usual where it is absent or no number."""
    preferences = parse_dict_header(request.headers.get("Prefer", "").lower())
    try:
        wait = int((preferences.get("wait") or "").partition(";")[0])
    except ValueError:
        return USUAL_WAIT
    return float(min(max(wait, 0), LONGEST_WAIT))


@v1.get("/reports/<int:id>", tags=["Events"])
@v1.response(200, ReportAnswer)
@with_database
def show_report(id: int) -> Response:
    """What became of a report, and the platform's reply."""
    row = find_report(id)
    if row is None:
        return abort(404, message=f"there is no report {id}")  # type: ignore[no-any-return]
    return show(ReportAnswer(), describe_report_fully(row))
