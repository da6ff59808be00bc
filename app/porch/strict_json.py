"""Bytes from outside into JSON values, refusing what only Python would accept."""

import json
from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.porch.errors import BadDelivery, DeliveryError, NetworkFailed, NotReady
from app.porch.hookspecs import Http, HttpAnswer

if TYPE_CHECKING:
    from flask import Request


def read_json(raw: bytes, fraction: Callable[[str], Any] = Decimal) -> Any:
    """The value of a JSON text in UTF-8; `fraction` makes numbers with a fraction or exponent.

    Raises ValueError for anything else: NaN, a byte order mark, broken UTF-8, too deep a
    nesting.
    """
    try:
        return make_decoder(fraction).decode(raw.decode())
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("a number is beyond all measure") from None


@lru_cache(maxsize=8)
def make_decoder(fraction: Callable[[str], Any]) -> json.JSONDecoder:
    """Making one takes as long as reading a delivery with it."""
    return json.JSONDecoder(
        parse_float=fraction,
        parse_constant=refuse,
        # -0 is no integer anywhere but in Python.
        parse_int=lambda text: fraction(text) if text == "-0" else int(text),
    )


def read_float(text: str) -> float:
    """A float that JSON can write again."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_body(request: "Request", limit: int) -> bytes:
    """The bytes of a request's body, at most `limit`, kept; BadDelivery (413) for more.

    What signs the bytes is checked over them, before they are parsed.
    """
    # Where the length is not announced, werkzeug cuts the body at the maximum without a word.
    request.max_content_length = limit + 1
    raw: bytes = request.get_data()
    if len(raw) > limit:
        raise BadDelivery(f"the body is longer than {limit} bytes", 413)
    return raw


def read_json_object(
    request: "Request", limit: int, fraction: Callable[[str], Any] = Decimal
) -> dict[str, Any]:
    """The JSON object in a request's body of at most `limit` bytes, whatever its Content-Type says.

    `fraction` makes numbers with a fraction or exponent.

    Raises BadDelivery for anything else: 413 for a longer one, 400 for the rest.
    """
    raw = read_body(request, limit)
    try:
        body = read_json(raw, fraction)
    except ValueError:
        raise BadDelivery("the body is not JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise BadDelivery("the body is not a JSON object")
    if is_deep(body):
        raise BadDelivery("the body is nested too deeply")
    return body


def fetch_json(http: Http, url: str, limit: int) -> Any:
    """Outside: the JSON value at `url`, at most `limit` bytes; NotReady for any other answer."""
    try:
        answer = http.request("GET", url, limit=limit)
    except NetworkFailed as error:
        raise NotReady(str(error)) from None
    if answer.status != 200:
        raise NotReady(f"it answered {answer.status}")
    try:
        return read_json(answer.body, read_float)
    except ValueError:
        raise NotReady("its answer is not JSON") from None


HOLDERS = (dict, list)
DEEPEST = 100  # levels of a body that comes in
LATER = (408, 429)  # statuses that ask to try again, as 5xx do


def read_reply(answer: HttpAnswer, now: int) -> dict[str, Any]:
    """The JSON object in a platform's answer of status 2xx; `now` in ms.

    Raises DeliveryError for anything else: one to be tried again, with Retry-After honoured, for 408,
    429, 5xx and a 2xx that is no JSON object; a permanent one for every other status.
    """
    status = answer.status
    if not 200 <= status < 300:
        is_later = status >= 500 or status in LATER
        hint = {401: ": are the credentials right?", 403: ": may these credentials do that?"}
        retry_in = read_retry_after(answer, now) if is_later else None
        raise DeliveryError(f"it answered {status}{hint.get(status, '')}", not is_later, retry_in)
    try:
        reply = read_json(answer.body)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise DeliveryError(f"it answered {status}, but with no JSON object")
    return reply


def read_retry_after(answer: HttpAnswer, now: int) -> float | None:
    """Seconds until the time of a Retry-After header (RFC 9110, 10.2.3), which has two forms."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now / 1000)
    except (ValueError, OverflowError):
        return None


def is_deep(value: Any) -> bool:
    """Whether a JSON value is nested more deeply than what works on it later can follow."""
    if isinstance(value, dict) and not any(isinstance(one, HOLDERS) for one in value.values()):
        return False  # as most are
    layer = [value]
    for _ in range(DEEPEST):
        holders = [
            one.values() if isinstance(one, dict) else one
            for one in layer
            if isinstance(one, HOLDERS)
        ]
        layer = [one for holder in holders for one in holder]
    return bool(layer)
