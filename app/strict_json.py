"""Bytes from outside into JSON values, refusing what only Python would accept."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.errors import BadDelivery, NetworkFailed, NotReady
from app.hookspecs import Http

if TYPE_CHECKING:
    from flask import Request


def read_json(raw: bytes, fraction: Callable[[str], Any] = Decimal) -> Any:
    """The value of a JSON text in UTF-8; `fraction` makes numbers with a fraction or exponent.

    Raises ValueError for anything else: NaN, a byte order mark, broken UTF-8, too deep a
    nesting.
    """
    try:
        return json.loads(
            raw.decode(), parse_float=fraction, parse_int=read_integer, parse_constant=refuse
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("a number is beyond all measure") from None


def read_integer(text: str) -> int | Decimal:
    """-0 is no integer anywhere but in Python."""
    return Decimal(text) if text == "-0" else int(text)


def read_float(text: str) -> float:
    """A float that JSON can write again."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def read_json_object(request: "Request", limit: int) -> dict[str, Any]:
    """The JSON object in a request's body of at most `limit` bytes, whatever its Content-Type says.

    Raises BadDelivery for anything else: 413 for a longer one, 400 for the rest.
    """
    # Where the length is not announced, werkzeug cuts the body at the maximum without a word.
    request.max_content_length = limit + 1
    raw = request.get_data(cache=False)
    if len(raw) > limit:
        raise BadDelivery(f"the body is longer than {limit} bytes", 413)
    try:
        body = read_json(raw)
    except ValueError:
        raise BadDelivery("the body is not JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise BadDelivery("the body is not a JSON object")
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
