"""A request's body, whole or refused: what cannot be read to its end is its sender's fault, not ours."""

from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import BadRequest, HTTPException


class WholeRequest(Request):
    """A request whose get_data gives the whole body, or raises BadRequest."""

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        try:
            data = super().get_data(*args, **kwargs)
        except HTTPException:
            raise
        except (
            Exception
        ):  # each server has its own errors for a bad chunk, or a client that is gone
            refuse_body("the body came broken")
        # Where the server marks the end, werkzeug takes what came for all there is.
        if self.content_length is not None and len(data) < self.content_length:
            refuse_body("the body ended before its Content-Length")
        return data


def refuse_body(reason: str) -> NoReturn:
    raise BadRequest(reason) from None
