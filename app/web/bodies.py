"""A request's body, whole or refused: what cannot be read to its end is its sender's fault, not ours."""

import io
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from app.porch.errors import GuerdonError
from app.web.body_limits import BodyLimits, read_to

LONGEST_NUMBER = 9  # digits of a length that may be within any limit
SHORT = "the body ended before its Content-Length"


class WholeRequest(Request):
    """A request whose get_data gives the whole body, or raises BadRequest.

    With a `limits`, which is for senders whom nobody knows yet, also Crowded, or BadDelivery (408).
    """

    limits: BodyLimits | None = None
    _was_read = False

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> Any:
        is_simple = cache and not (parse_form_data or self._was_read)
        try:
            data = self._read_announced() if is_simple else None
            if data is None:
                data = super().get_data(cache, parse_form_data=parse_form_data)
                self._refuse_short(data, parse_form_data)
        except (HTTPException, GuerdonError):
            raise
        except Exception:  # each server has its own for a bad chunk, or for a client that is gone
            refuse_body("the body came broken")
        self._was_read = True
        return data.decode(errors="replace") if as_text else data

    def _read_announced(self) -> bytes | None:
        """A body of announced and allowed length, as most are, without werkzeug's four layers.

        One in chunks too, where there are limits that count them.
        """
        environ, taken = self.environ, self.__dict__
        announced = environ.get("CONTENT_LENGTH", "")
        if len(announced) > LONGEST_NUMBER:  # noughts before a number leave it what it is
            announced = announced.lstrip("0") or "0"
        is_number = (
            announced.isascii() and announced.isdecimal() and len(announced) <= LONGEST_NUMBER
        )
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        limit = self.max_content_length
        if limit is None or "stream" in taken:
            return None
        if is_chunked and self.limits:
            data = self.limits.read(environ["wsgi.input"], limit + 1)
            if len(data) > limit:
                raise RequestEntityTooLarge
            return self._keep(data)
        if is_chunked or not is_number or int(announced) > limit:
            return None
        read, length = self.limits.read if self.limits else read_to, int(announced)
        data = read(environ["wsgi.input"], length)
        if len(data) < length:
            refuse_body(SHORT)
        return self._keep(data)

    def _keep(self, data: bytes) -> bytes:
        self._cached_data = data
        self.stream = io.BytesIO()  # there is nothing left
        return data

    def _refuse_short(self, data: bytes, parse_form_data: bool) -> None:
        """Where the server marks the end, werkzeug takes what came for all there is.

        Of a form there is nothing left.
        """
        is_bytes = not parse_form_data and "form" not in self.__dict__
        if is_bytes and len(data) < (self.content_length or 0) and not self._was_read:
            refuse_body(SHORT)


def refuse_body(reason: str) -> NoReturn:
    raise BadRequest(reason) from None
