"""create_app(), and the porch: all that a plugin may import is `from app import ...` from here."""

from app import interrupting  # noqa: F401, I001  (first: the rest takes a second)

from pathlib import Path

from flask import Flask, Request, Response, request

from app import game_api  # noqa: F401  (adds its views to /v1)
from app.answer_headers import set_headers, shorten_location
from app.bodies import WholeRequest
from app.chunks import run_in_chunks
from app.claims import queue_claims
from app.complaints import explain_refusal
from app.database import Database
from app.errors import (
    BadDelivery,
    BadSignature,
    DeliveryError,
    GuerdonError,
    NetworkFailed,
    NotReady,
)
from app.escaping import escape_text, shorten
from app.game_events import describe_game_events, join_key, list_game_events, read_game_delivery
from app.guerdon import Guerdon, open_guerdon
from app.hookspecs import (
    Batch,
    Command,
    Delivery,
    Event,
    EventType,
    Grant,
    Http,
    HttpAnswer,
    Outcome,
    Player,
    Report,
    Reward,
    Schedule,
    Settings,
    hookimpl,
)
from app.masking import cut_text, mask_tokens
from app.names import PatternField
from app.openapi import add_api
from app.players import add_to_players
from app.reward_fields import RewardName
from app.rules import dump_json
from app.secret import HttpAddress, ReferableString, Secret, SecretField
from app.steps import format_time
from app.strict_json import (
    fetch_json,
    read_body,
    read_float,
    read_json_object,
    read_reply,
    read_retry_after,
)
from app.tokens import check_token, is_fresh, is_signature, sign_lines
from app.upserting import upsert_rows
from app.webhooks import REFUSALS, WebhookFlask, webhooks

__all__ = [
    "BadDelivery",
    "BadSignature",
    "Batch",
    "Command",
    "Database",
    "Delivery",
    "DeliveryError",
    "Event",
    "EventType",
    "Grant",
    "GuerdonError",
    "Http",
    "HttpAddress",
    "HttpAnswer",
    "NetworkFailed",
    "NotReady",
    "Outcome",
    "PatternField",
    "Player",
    "ReferableString",
    "Report",
    "Request",
    "Response",
    "Reward",
    "RewardName",
    "Schedule",
    "Secret",
    "SecretField",
    "Settings",
    "add_to_players",
    "check_token",
    "create_app",
    "cut_text",
    "describe_game_events",
    "dump_json",
    "escape_text",
    "explain_refusal",
    "fetch_json",
    "format_time",
    "hookimpl",
    "is_fresh",
    "is_signature",
    "join_key",
    "list_game_events",
    "mask_tokens",
    "queue_claims",
    "read_body",
    "read_float",
    "read_game_delivery",
    "read_json_object",
    "read_reply",
    "read_retry_after",
    "run_in_chunks",
    "shorten",
    "sign_lines",
    "upsert_rows",
]


def create_app(guerdon: Guerdon | Path | str = "config/guerdon.toml") -> Flask:
    """The web service of a Guerdon, or of the config file at a path.

    Raises ConfigError when the config, a plugin or a rule is at fault. The database need not be
    up: until it is found fit, deliveries are answered with 503.
    """
    if not isinstance(guerdon, Guerdon):
        guerdon = open_guerdon(Path(guerdon))
    guerdon.log_warnings()
    app = WebhookFlask("app", static_folder="static", static_url_path="/static")
    app.request_class = WholeRequest
    app.extensions["guerdon"], app.extensions["refusals"] = guerdon, REFUSALS
    app.register_blueprint(webhooks)
    add_api(app)
    app.after_request(lambda response: shorten_location(request, set_headers(response)))
    # What a plugin's hook opened outside of a transaction goes back to the pool with the request.
    app.teardown_request(lambda error: guerdon.database.close())
    return app
