"""Puts the web service of a Guerdon together."""

from flask import Flask, request

from app.guerdon import Guerdon
from app.web import boards, events  # noqa: F401  (they add their views to /v1)
from app.web.answer_headers import set_headers, shorten_location
from app.web.bodies import WholeRequest
from app.web.front import Front
from app.web.openapi import add_api
from app.web.origins import allow_origin
from app.web.webhooks import REFUSALS, webhooks


def build_app(guerdon: Guerdon) -> Flask:
    """What a WSGI server serves: /webhooks, /v1, and what describes it."""
    guerdon.log_warnings()
    app = Flask("app", static_folder="static", static_url_path="/static")
    app.request_class = WholeRequest
    app.extensions["guerdon"], app.extensions["refusals"] = guerdon, REFUSALS
    app.register_blueprint(webhooks)
    add_api(app)
    origins = guerdon.config.api.web_origins
    app.after_request(lambda response: shorten_location(request, set_headers(response)))
    app.after_request(lambda response: allow_origin(request, response, origins))
    # What a plugin's hook opened outside of a transaction goes back to the pool with the request.
    app.teardown_request(lambda error: guerdon.database.close())
    app.wsgi_app = Front(app, guerdon)  # type: ignore[method-assign]
    return app
