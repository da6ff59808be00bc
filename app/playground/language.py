"""The switch of languages: a link, so that it works without JavaScript."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from app.languages import remember_language


def build_language() -> Blueprint:
    """GET /language remembers `to`, and goes back to `next`, which is a page of ours."""
    language = Blueprint("language", __name__)

    @language.get("/language")
    def choose() -> Response:
        answer = make_response(redirect(find_next(), 303))
        return remember_language(answer, request.args.get("to", ""), is_secure=False)

    return language


def find_next() -> str:
    """Where the link stood; the first page for what leads elsewhere."""
    wanted = request.args.get("next", "/")
    parts = urlsplit(wanted.replace("\\", "/"))
    is_ours = wanted.startswith("/") and wanted.isprintable() and not (parts.scheme or parts.netloc)
    return wanted if is_ours and not wanted.startswith(("//", "/\\")) else "/"
