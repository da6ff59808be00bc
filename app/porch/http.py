"""What a plugin does with HTTP: reads the body of a request, fetches JSON, reads a platform's reply."""

import json
from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from app.porch.errors import BadDelivery, DeliveryError, NetworkFailed, NotReady
from app.porch.json import is_deep, read_float, read_json
from app.porch.text import is_unicode
from app.porch.types import Http, HttpAnswer

if TYPE_CHECKING:
    from flask import Request

ANY_TEXT = json.JSONEncoder(ensure_ascii=False, default=str)
LATER = (408, 429)  # statuses that ask to try again, as 5xx do


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
    request: "Request",
    limit: int,
    fraction: Callable[[str], Any] = Decimal,
    must_be_unicode: bool = False,
) -> dict[str, Any]:
    """The JSON object in a request's body of at most `limit` bytes, whatever its Content-Type says.

    `fraction` makes numbers with a fraction or exponent. `must_be_unicode`: as require_unicode.

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
    if must_be_unicode and b"\\u" in raw:  # half a letter can be written in no other way
        require_unicode(body)
    return body


def require_unicode(body: dict[str, Any]) -> None:
    """Raise BadDelivery where some text of it holds half a letter, which has no bytes to sign."""
    if not is_unicode(ANY_TEXT.encode(body)):
        raise BadDelivery("the body is not valid Unicode")


def make_url(base: str, path: str = "", **query: str) -> str:
    """An address below another one, with a query, percent-encoded."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"{base.rstrip('/')}{path}{asked}"


def find_host(url: str) -> str:
    """The host of an address, in small letters, without port."""
    return urlsplit(url).hostname or ""


def read_fields(request: "Request", limit: int) -> dict[str, Any]:
    """What a request says, be it a JSON object, a form or a query, in at most `limit` bytes of body.

    A body that begins with "{" is JSON, whatever its Content-Type says, and then the query is not read. Of a
    form, or without a body, a field is the first of its name, and the form's comes before the query's.
    Raises BadDelivery as read_json_object does.
    """
    if read_body(request, limit).lstrip()[:1] == b"{":
        return read_json_object(request, limit)
    return {**request.args.to_dict(), **request.form.to_dict()}


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


def read_reply(answer: HttpAnswer, now: int, may_be_empty: bool = False) -> dict[str, Any]:
    """The JSON object in a platform's answer of status 2xx; `now` in ms.

    `may_be_empty`: for a platform that says "done" by 2xx alone, where an empty body is {}.

    Raises DeliveryError for anything else: one to be tried again, with Retry-After honoured, for 408,
    429, 5xx and a 2xx that is no JSON object; a permanent one for every other status.
    """
    status = answer.status
    if not 200 <= status < 300:
        is_later = status >= 500 or status in LATER
        hint = {401: ": are the credentials right?", 403: ": may these credentials do that?"}
        retry_in = read_retry_after(answer, now) if is_later else None
        raise DeliveryError(f"it answered {status}{hint.get(status, '')}", not is_later, retry_in)
    if may_be_empty and not answer.body:
        return {}
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
