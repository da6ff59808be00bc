"""Puts the dashboard of a Guerdon together."""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g, request, url_for
from flask_wtf.csrf import CSRFProtect

from app.dashboard.errands import add_errands
from app.dashboard.frame import answer_part, get_guerdon, is_part, may_act, screens
from app.dashboard.gate import SignedApp, meet, set_headers, set_up_cookie
from app.dashboard.language import language
from app.dashboard.metrics import metrics
from app.dashboard.navigation import NAVIGATION
from app.dashboard.oidc import add_provider
from app.dashboard.refusals import add_refusals
from app.dashboard.signing_in import limiter, signing
from app.dashboard.words import add_words
from app.guerdon import Guerdon
from app.languages import add_languages

SCREENS = (
    "home", "events", "reports", "players", "rules", "boards", "finding", "about",
    "lists", "acts", "plots", "stocks", "reconciliation", "alarms", "doctor", "erasing",
    "claims",
)  # fmt: skip
LONGEST_FORM = 1 << 16  # bytes

for name in SCREENS:
    import_module(f"app.dashboard.screens.{name}")


def build_dashboard(guerdon: Guerdon) -> Flask:
    """What a WSGI server serves: the operators' pages, closed to whom [dashboard] does not name."""
    app = SignedApp("app.dashboard", static_folder="static", template_folder="templates")
    app.extensions["guerdon"] = guerdon
    add_errands(app, guerdon)
    app.config.update(
        MAX_CONTENT_LENGTH=LONGEST_FORM,
        WTF_CSRF_TIME_LIMIT=None,  # a form is good as long as its session
        WTF_CSRF_SSL_STRICT=False,  # Sec-Fetch-Site and a strict cookie say more than a Referer
        RATELIMIT_ENABLED=True,
    )
    set_up_cookie(app, guerdon.config.dashboard.address)
    app.before_request(meet)  # before tokens are looked at: who has no session is told so
    CSRFProtect(app)
    limiter.init_app(app)
    add_languages(app)
    add_words(app)
    add_refusals(app)
    app.register_blueprint(screens)
    app.register_blueprint(signing)
    app.register_blueprint(language)
    app.register_blueprint(metrics)
    if guerdon.config.dashboard.oidc is not None:
        add_provider(app, guerdon.config.dashboard.oidc)
    app.context_processor(describe_frame)
    app.after_request(answer_part)
    app.after_request(set_headers)
    app.teardown_request(lambda error: close_connection(guerdon))
    return app


def close_connection(guerdon: Guerdon) -> None:
    """What a view opened goes back to the pool."""
    if not guerdon.database.is_closed():
        guerdon.database.close()


def describe_frame() -> dict[str, Any]:
    """What every template knows."""
    settings = get_guerdon().config.dashboard
    return {
        "person": g.get("person"),
        "may_act": "person" in g and may_act(),
        "frame": "part.html" if is_part() else "layout.html",
        "navigation": NAVIGATION,
        "asset": find_asset,
        "sources": get_guerdon().sources,
        "now": get_guerdon().now(),
        "ways": {
            "password": bool(settings.users),
            "oidc": "oidc" in current_app.blueprints,
            "closed": not settings.is_open,
        },
        "here": request.full_path.removesuffix("?"),
    }


def find_asset(name: str) -> str:
    """The address of a static file; another one when the file is another."""
    return url_for("static", filename=name, v=hash_file(name))


@cache
def hash_file(name: str) -> str:
    content = (Path(__file__).parent / "static" / name).read_bytes()
    return hashlib.sha256(content).hexdigest()[:12]
