"""create_app(), and the porch: all that a plugin may import is `from app import ...` from here."""

from pathlib import Path

from flask import Flask, Request

from app.api import add_api
from app.claims import queue_claims
from app.database import Database
from app.errors import (
    BadDelivery,
    BadSignature,
    GuerdonError,
    NotReady,
)
from app.guerdon import Guerdon, open_guerdon
from app.health import health
from app.hookspecs import (
    Batch,
    Command,
    Delivery,
    Event,
    Grant,
    Http,
    Outcome,
    Player,
    Reward,
    Settings,
    hookimpl,
)
from app.players import add_to_players, shorten
from app.secret import HttpAddress, ReferableString, Secret, SecretField
from app.strict_json import fetch_json, read_json_object
from app.timeline import format_time
from app.upserting import upsert_rows
from app.webhooks import webhooks

__all__ = [
    "BadDelivery",
    "BadSignature",
    "Batch",
    "Command",
    "Database",
    "Delivery",
    "Event",
    "Grant",
    "GuerdonError",
    "Http",
    "HttpAddress",
    "NotReady",
    "Outcome",
    "Player",
    "ReferableString",
    "Request",
    "Reward",
    "Secret",
    "SecretField",
    "Settings",
    "add_to_players",
    "create_app",
    "fetch_json",
    "format_time",
    "hookimpl",
    "queue_claims",
    "read_json_object",
    "shorten",
    "upsert_rows",
]


def create_app(guerdon: Guerdon | Path | str = "config/guerdon.toml") -> Flask:
    """The web service of a Guerdon, or of the config file at a path.

    Raises ConfigError when the config, a plugin or a rule is at fault. The database need not be
    up: until it is found fit, deliveries are answered with 503.
    """
    if not isinstance(guerdon, Guerdon):
        guerdon = open_guerdon(Path(guerdon))
    app = Flask("app", static_folder=None)
    app.extensions["guerdon"] = guerdon
    app.register_blueprint(webhooks)
    app.register_blueprint(health)
    add_api(app)
    # What a plugin's hook opened outside of a transaction goes back to the pool with the request.
    app.teardown_request(lambda error: guerdon.database.close())
    return app
