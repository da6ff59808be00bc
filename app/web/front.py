"""In front of Flask: a webhook request goes straight to its plugin, past routing, session and context.

Those would cost a vote a fifth more (docs/decisions/front.md). So `flask.request` is not set there;
`read_delivery` is given the request. Flask itself is as it is: this stands before its wsgi_app.
"""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response

from app.guerdon import Guerdon
from app.web.answer_headers import set_headers
from app.web.webhooks import DONE, find_source, receive


class Front:
    """A WSGI callable: webhook requests it answers itself, all others it passes on."""

    def __init__(self, app: Flask, guerdon: Guerdon) -> None:
        self._app = app
        self._guerdon = guerdon
        self._behind = app.wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        methods = self._guerdon.plugins.methods
        found = find_source(environ["PATH_INFO"], environ["REQUEST_METHOD"], methods)
        if found is None:
            return self._behind(environ, start_response)
        response = self._receive(*found, environ)
        if response is DONE:  # most are
            start_response("204 NO CONTENT", [])
            return ()
        return set_headers(response)(environ, start_response)

    def _receive(self, source: str, rest: str, environ: Any) -> Response:
        try:
            return receive(
                self._app, source, rest, self._app.request_class(environ, populate_request=False)
            )
        except Exception as error:
            with self._app.request_context(environ):
                return self._answer_error(error)
        finally:
            # What a plugin's hook opened outside of a transaction goes back to the pool.
            if not self._guerdon.database.is_closed():
                self._guerdon.database.close()

    def _answer_error(self, error: Exception) -> Response:
        """As Flask answers an error of a view."""
        try:
            return self._app.make_response(self._app.handle_user_exception(error))
        except Exception as unhandled:
            return self._app.handle_exception(unhandled)
