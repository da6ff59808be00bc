"""/webhooks/<source>: bytes in, a short answer out; app/paying decides."""

import math
import time
from collections.abc import Collection, Mapping, Sequence

import structlog
from flask import Blueprint, Flask, Request, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.guerdon import Guerdon
from app.host.calling import forget_way
from app.metrics.families import DELIVERIES, DELIVERY_SECONDS
from app.paying.receiving import merge_outcomes
from app.porch.errors import BadDelivery, Crowded, NotReady
from app.porch.types import Delivery, Outcome, OutcomeState
from app.web.bodies import WholeRequest
from app.web.body_limits import BodyLimits
from app.web.refusals import Refusals
from app.web.senders import find_sender

log = structlog.get_logger()
webhooks = Blueprint("webhooks", __name__)

PREFIX = "/webhooks/"
LONGEST_BODY = 1 << 20  # bytes; a source may set less
RETRY_AFTER = 30.0  # seconds, where nothing better is known
CROWDED_FOR = 5.0  # seconds

BODY_LIMITS, REFUSALS = BodyLimits(), Refusals()  # of this process
DONE = Response(status=204)
USUAL = ("POST",)  # of a source that asks for no more


@webhooks.post(f"{PREFIX}<source>", endpoint="receive")
def receive_anywhere(source: str) -> Response:
    """As Front does, for a source whose name is not plain."""
    return receive(current_app, source, "", request)


def find_source(
    path: str, method: str, methods: Mapping[str, Collection[str]]
) -> tuple[str, str] | None:
    """The source of a webhook request and what stands behind it in the path; None: Flask is to route it.

    `methods`: those that sources ask for, by their names.
    """
    if not path.startswith(PREFIX):
        return None
    source, _, rest = path[len(PREFIX) :].partition("/")
    asked_for = methods.get(source)
    if asked_for is None and (rest or not source.isascii()):
        return None
    # WSGI hands the path over with a letter for each byte.
    rest = rest.encode("latin-1", "replace").decode("utf-8", "replace")
    return (source, rest) if method in (asked_for or USUAL) and source else None


def receive(app: Flask, source: str, rest: str, request: Request) -> Response:
    """Verify what is delivered and pay it, or say shortly why not; nothing is stored of what is refused.

    `rest`: what stands behind the source's name in the path.
    """
    guerdon: Guerdon = app.extensions["guerdon"]
    request.max_content_length = LONGEST_BODY
    if isinstance(request, WholeRequest):
        request.limits = BODY_LIMITS
    began = time.monotonic()
    outcomes = take_deliveries(guerdon, source, rest, request)
    for one in outcomes:
        DELIVERIES[source, one.state].inc()
    DELIVERY_SECONDS[source].observe(time.monotonic() - began)
    outcome = outcomes[0] if len(outcomes) == 1 else merge_outcomes(outcomes)
    reply = ask_for_reply(app, guerdon, source, outcome) if guerdon.plugins.writes_replies else None
    return reply or write_usual_reply(outcome)


def ask_for_reply(app: Flask, guerdon: Guerdon, source: str, outcome: Outcome) -> Response | None:
    """What the source's plugin answers; None where it has nothing of its own to say, or fails.

    In Flask's context, which `flask.jsonify` asks for.
    """
    settings, told = guerdon.plugins.settings, log.bind(source=source)
    try:
        with app.app_context():
            reply = guerdon.plugins.hook.write_reply(
                source=source, outcome=outcome, settings=settings
            )
    except Exception as error:
        told.error("write_reply failed", exc_info=error)
        return None
    if reply is None or isinstance(reply, Response):
        return reply
    told.error("write_reply failed", reason=f"{type(reply).__name__} is no flask.Response")
    return None


def take_deliveries(
    guerdon: Guerdon, source: str, rest: str, request: Request
) -> Sequence[Outcome]:
    """Have its plugin verify a request, and pay what it delivers; what came of each of them."""
    direct = request.remote_addr or ""
    try:
        delivered = read_request(guerdon, source, rest, direct, request)
        if delivered is None:
            return [refuse(direct, source, 404, "nobody here answers for this source")]
        if isinstance(delivered, Sequence):
            return guerdon.receiver.receive_all(delivered)
        return [guerdon.receiver.receive(delivered)]
    except BadDelivery as error:
        return [refuse(direct, source, error.status, str(error), error.code)]
    except RequestEntityTooLarge:
        return [refuse(direct, source, 413, "the body is too long")]
    except Crowded as error:
        REFUSALS.tell(source, 503, str(error), direct)
        return [Outcome(OutcomeState.UNAVAILABLE, str(error), CROWDED_FOR)]
    except NotReady as error:
        REFUSALS.tell(source, 503, error.reason, direct)
        return [Outcome(OutcomeState.UNAVAILABLE, error.reason, error.retry_in)]
    except HTTPException:
        raise
    except Exception as error:
        log.error("read_delivery failed", source=source, exc_info=error)
        return [Outcome(OutcomeState.UNAVAILABLE, f"the plugin for {source} failed")]


def read_request(
    guerdon: Guerdon, source: str, rest: str, direct: str, request: Request
) -> Delivery | Sequence[Delivery] | None:
    """What its plugin says that a request is; raises what the plugin does."""
    proxies = guerdon.config.server.trusted_proxies
    forwarded = ",".join(request.headers.getlist("X-Forwarded-For")) if proxies else ""
    try:
        found: Delivery | Sequence[Delivery] | None = guerdon.plugins.hook.read_delivery(
            source=source,
            request=request,
            rest=rest,
            sender=find_sender(direct, forwarded, proxies),
            settings=guerdon.plugins.settings,
            now=guerdon.now(),
        )
    except (BadDelivery, NotReady) as refused:
        raise forget_way(refused) from None
    return found


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
