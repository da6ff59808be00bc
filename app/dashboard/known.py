"""Browsers that somebody has signed in with: their tries are counted apart from everybody else's.

Else whoever fails often enough under somebody's name, or from his address, keeps him out.
"""

import hashlib
import secrets

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.config.dashboard import Dashboard
from app.dashboard.people import Way, list_people

LASTS = 90 * 86_400  # seconds


def find_browser(dashboard: Dashboard, name: str) -> str | None:
    """The id of a browser that this person has signed in with; None of any other."""
    try:
        mark, browser = make_signer().loads(request.cookies.get(name_cookie(), ""), LASTS)
    except (BadSignature, ValueError, TypeError):
        return None
    known = {mark for person, mark in list_people(dashboard, Way.PASSWORD) if person.name == name}
    return str(browser) if mark in known else None


def remember_browser(response: Response, mark: str) -> Response:
    """Have a browser be known, with this person's password of now; it lets nobody in."""
    response.set_cookie(
        name_cookie(), make_signer().dumps([mark, secrets.token_hex(16)]), max_age=LASTS, httponly=True,
        samesite="Strict", secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )  # fmt: skip
    return response


def name_cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-browser"


def make_signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        str(current_app.secret_key),
        "known browser",
        signer_kwargs={"digest_method": hashlib.sha256},
    )
