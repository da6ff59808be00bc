"""What is signed here as the platform does; whether that is believed, and a forgery is not.

The signing is written from the platform's documents and shares nothing with our plugin, so that
one does not hide the other's mistake.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from flask import Request
from werkzeug.test import EnvironBuilder

from app.doctor.findings import Check, Finding, fail, say_ok
from app.guerdon import Guerdon
from app.porch.errors import BadDelivery, BadSignature, GuerdonError

SOURCE = "gamemonitoring"
SCALARS = (str, bool, int)
TEST = {"event_id": "doctor", "event_type": "server.vote", "is_test": True}
REMEDY = f"[plugins.{SOURCE}] tokens: as they stand in the platform's panel, without quotes"


def find_token(guerdon: Guerdon) -> str:
    """The first token of the platform's section. Raises GuerdonError where there is none."""
    section = guerdon.plugins.settings.get("gamemonitoring")
    if section is None:
        raise GuerdonError(f"{guerdon.config.path} has no section [plugins.gamemonitoring]")
    return str(section["tokens"][0].reveal())


def sign_fields(fields: Any, token: str) -> str:
    """A delivery's fields with their signature, as JSON. Raises GuerdonError for what cannot be signed."""
    if not isinstance(fields, dict):
        raise GuerdonError("what is signed is a JSON object")
    plain = {key: value for key, value in fields.items() if key != "signature"}
    if odd := next((key for key, value in plain.items() if not isinstance(value, SCALARS)), None):
        raise GuerdonError(f"{odd}: only texts, whole numbers, true and false can be signed")
    return json.dumps({**plain, "signature": sign(plain, token)})


def sign(fields: dict[str, Any], token: str) -> str:
    """HMAC-SHA256 over `key=value&...`, sorted by key, booleans in small letters; as hex."""
    texts = {
        key: str(value).lower() if value in (True, False) else value
        for key, value in fields.items()
    }
    signed = "&".join(f"{key}={texts[key]}" for key in sorted(texts))
    return hmac.new(token.encode(), signed.encode(), hashlib.sha256).hexdigest()


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


CHECK = Check("signature", check_signature)
