"""Whether a delivery that is signed as the platform does is believed here, and a forged one is not."""

from collections.abc import Iterator

from flask import Request
from werkzeug.test import EnvironBuilder

from app.doctor.findings import Finding, fail, say_ok
from app.guerdon import Guerdon
from app.playground.trigger import find_token, sign_fields
from app.porch.errors import BadDelivery, BadSignature

SOURCE = "gamemonitoring"
TEST = {"event_id": "doctor", "event_type": "server.vote", "is_test": True}
REMEDY = f"[plugins.{SOURCE}] tokens: as they stand in the platform's panel, without quotes"


def check_signature(guerdon: Guerdon) -> Iterator[Finding]:
    """A test delivery, signed by the first token and by another, is shown to the plugin alone."""
    if SOURCE not in guerdon.plugins.settings:
        return
    token = find_token(guerdon)
    if is_believed(guerdon, token) and not is_believed(guerdon, f"{token}x"):
        yield say_ok("signature", "a signed test delivery is believed, a forged one is not")
    else:
        text = "what our own token signs is not believed, or what another does is"
        yield fail("signature", text, REMEDY)


def is_believed(guerdon: Guerdon, token: str) -> bool:
    body = sign_fields(TEST, token)
    request = Request(EnvironBuilder(method="POST", data=body).get_environ())
    facts = {
        "source": SOURCE,
        "request": request,
        "rest": "",
        "sender": "127.0.0.1",
        "settings": guerdon.plugins.settings,
        "now": guerdon.now(),
    }
    try:
        return guerdon.plugins.hook.read_delivery(**facts) is not None
    except (BadSignature, BadDelivery):
        return False
