"""POST /webhooks/<source>: bytes in, a short answer out; app/paying decides."""

import math
import time
from collections import Counter

import structlog
from flask import Blueprint, Request, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.failpoints import reach
from app.guerdon import Guerdon
from app.metrics.families import DELIVERIES, DELIVERY_SECONDS
from app.paying.ledger import LONGEST, judge_text
from app.porch.errors import BadDelivery, Crowded, DatabaseUnavailable
from app.porch.types import Delivery, Outcome, OutcomeState
from app.web.bodies import WholeRequest
from app.web.body_limits import BodyLimits
from app.web.refusals import Refusals

log = structlog.get_logger()
webhooks = Blueprint("webhooks", __name__)

PREFIX = "/webhooks/"
LONGEST_BODY = 1 << 20  # bytes; a source may set less
RETRY_AFTER = 30.0  # seconds, where nothing better is known
CROWDED_FOR = 5.0  # seconds

KEY_FIELDS = ("source", "type", "id")
LONGEST_NAME = 255  # characters of a type or an id in a line of the log
BODY_LIMITS, REFUSALS = BodyLimits(), Refusals()  # of this process
DONE = Response(status=204)
ignored: Counter[str] = Counter()  # deliveries a source, in this worker since it started


@webhooks.post(f"{PREFIX}<source>", endpoint="receive")
def receive_anywhere(source: str) -> Response:
    """As Front does, for a source whose name is not plain."""
    return receive(current_app.extensions["guerdon"], source, request)


def receive(guerdon: Guerdon, source: str, request: Request) -> Response:
    """Verify a delivery and pay it, or say shortly why not; nothing is stored of what is refused."""
    request.max_content_length = LONGEST_BODY
    if isinstance(request, WholeRequest):
        request.limits = BODY_LIMITS
    began = time.monotonic()
    outcome = take_delivery(guerdon, source, request)
    DELIVERIES[source, outcome.state].inc()
    DELIVERY_SECONDS[source].observe(time.monotonic() - began)
    try:
        reply = guerdon.plugins.hook.write_reply(
            source=source, outcome=outcome, settings=guerdon.plugins.settings
        )
    except Exception as error:
        log.error("write_reply failed", source=source, exc_info=error)
        reply = None
    if reply is not None and not isinstance(reply, Response):
        log.error(
            "write_reply failed",
            source=source,
            reason=f"{type(reply).__name__} is no flask.Response",
        )
        reply = None
    return reply or write_usual_reply(outcome)


def take_delivery(guerdon: Guerdon, source: str, request: Request) -> Outcome:
    """Have its plugin verify a request, and pay what it delivers."""
    sender = request.remote_addr or ""
    try:
        delivery = guerdon.plugins.hook.read_delivery(
            source=source, request=request, settings=guerdon.plugins.settings, now=guerdon.now()
        )
        if delivery is None:
            return refuse(sender, source, 404, "nobody here answers for this source")
        check_delivery(delivery)
    except BadDelivery as error:
        return refuse(sender, source, error.status, str(error), error.code)
    except RequestEntityTooLarge:
        return refuse(sender, source, 413, "the body is too long")
    except Crowded as error:
        REFUSALS.tell(source, 503, str(error), sender)
        return Outcome(OutcomeState.UNAVAILABLE, str(error), CROWDED_FOR)
    except HTTPException:
        raise
    except Exception as error:
        log.error("read_delivery failed", source=source, exc_info=error)
        return Outcome(OutcomeState.UNAVAILABLE, f"the plugin for {source} failed")
    return decide(guerdon, delivery)


def check_delivery(delivery: Delivery) -> None:
    """Raise TypeError for what a plugin should not have made, BadDelivery for what cannot be kept."""
    texts = (delivery.source, delivery.type, delivery.id, delivery.token)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a Delivery's source, type, id and token are strings")
    if delivery.is_test or delivery.ignored:
        return
    for name, text in zip(KEY_FIELDS, texts, strict=False):
        if len(text) > LONGEST[name] or not text.isascii():
            require_text(name, text)


def require_text(name: str, text: str) -> None:
    """Raise BadDelivery where no column takes it."""
    if fault := judge_text(text, LONGEST[name]):
        raise BadDelivery(f"the {name} of what it delivers {fault}")


def decide(guerdon: Guerdon, delivery: Delivery) -> Outcome:
    # Until it is stored, nobody has looked how long they are.
    type_, id_ = delivery.type[:LONGEST_NAME], delivery.id[:LONGEST_NAME]
    name = {"source": delivery.source, "event_type": type_, "event_id": id_}
    if delivery.is_test:
        log.info("test delivery", **name)
        return Outcome(OutcomeState.TEST)
    if delivery.ignored:
        ignored[delivery.source] += 1
        log.info("ignored", **name, reason=delivery.ignored, count=ignored[delivery.source])
        return Outcome(OutcomeState.IGNORED, delivery.ignored)
    try:
        guerdon.require_fit_database()
    except DatabaseUnavailable as error:
        log.error("not stored", **name, reason=str(error))
        return Outcome(OutcomeState.UNAVAILABLE, "the database is not ready")
    reach("delivery: verified")
    outcome = guerdon.deliveries.accept(delivery)
    reach("delivery: before the answer")
    if outcome.state == OutcomeState.SETTLED:
        guerdon.outbox.nudge()  # a webhook request waits for no report
    if outcome.state == OutcomeState.UNAVAILABLE:
        log.error("not stored", **name, reason=outcome.reason)
    return outcome


def write_usual_reply(outcome: Outcome) -> Response:
    """204 when the source has nothing more to do, else the reason; with Retry-After if it helps."""
    if outcome.is_done:
        return DONE
    response = Response(outcome.reason + "\n", status=outcome.status, mimetype="text/plain")
    if outcome.state != OutcomeState.REFUSED:
        response.headers["Retry-After"] = str(math.ceil(outcome.retry_in or RETRY_AFTER))
    return response


def refuse(sender: str, source: str, status: int, reason: str, code: int = 0) -> Outcome:
    """`sender`: the address of whoever is connected to us, which may be a proxy."""
    REFUSALS.tell(source, status, reason, sender)
    return Outcome(OutcomeState.REFUSED, reason, status=status, code=code)
