"""The switch of languages: a link, so that it works without JavaScript and before anybody is signed in."""

from flask import Blueprint, Response, current_app, make_response, redirect, request

from app.dashboard.signing_in import find_next
from app.languages import remember_language

language = Blueprint("language", __name__)


@language.get("/language")
def choose() -> Response:
    """Remember `to`, and go back to `next`, which is a page of ours."""
    is_secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    return remember_language(
        make_response(redirect(find_next(), 303)), request.args.get("to", ""), is_secure
    )
