"""A request's body, whole or refused: what cannot be read to its end is its sender's fault, not ours."""

from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import BadRequest, HTTPException


class WholeRequest(Request):
    """A request whose get_data gives the whole body, or raises BadRequest."""

    _was_read = False

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> Any:
        try:
            data = super().get_data(cache, parse_form_data=parse_form_data)
        except HTTPException:
            raise
        except Exception:  # each server has its own for a bad chunk, or for a client that is gone
            refuse_body("the body came broken")
        # Where the server marks the end, werkzeug takes what came for all there is; of a form there
        # is nothing left.
        is_bytes = not parse_form_data and "form" not in self.__dict__
        if is_bytes and len(data) < (self.content_length or 0) and not self._was_read:
            refuse_body("the body ended before its Content-Length")
        self._was_read = True
        return data.decode(errors="replace") if as_text else data


def refuse_body(reason: str) -> NoReturn:
    raise BadRequest(reason) from None
