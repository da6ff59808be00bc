"""Before and after every request: who it is, where it came from, what browsers may do with the answer."""

from typing import Any

from flask import Flask, Response, abort, g, redirect, render_template, request, session, url_for
from flask.sessions import NullSession, SecureCookieSessionInterface, SessionMixin
from flask_babel import gettext as _
from peewee import PeeweeException

from app.dashboard.addresses import is_own_path
from app.dashboard.frame import get_guerdon, is_part
from app.dashboard.keys import find_key
from app.dashboard.people import SESSION_LASTS, find_visitor
from app.porch.errors import DatabaseUnavailable

SAFE = ("GET", "HEAD", "OPTIONS")
OTHERS = ("cross-site", "same-site")  # a neighbour of our name is no page of ours
FOR_STRANGERS = (
    "static",
    "language.choose",
    "signing.tell_alive",
    "metrics.show_metrics",
)  # that asks for a key itself
UNSIGNED = ("/static/", "/healthz", "/metrics")
SIGNING = ("signing.ask_who", "signing.take_password", "oidc.begin", "oidc.finish")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # to ourselves alone: addresses name players
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STATIC_LASTS = "public, max-age=31536000, immutable"  # its address names the version


class SignedApp(Flask):
    """Signs with a key that may change while it runs; asked for once a request."""

    @property
    def secret_key(self) -> str:
        if "key" not in g:
            g.key = find_key(self.extensions["guerdon"])
        key: str = g.key
        return key

    @secret_key.setter
    def secret_key(self, value: object) -> None:
        raise AttributeError("the key comes from the config or the database")


class Sessions(SecureCookieSessionInterface):
    """Flask's own; where the key cannot be had there is none, and nothing is shown."""

    def open_session(self, app: Flask, request: Any) -> Any:
        if request.path.startswith(UNSIGNED):  # what it leads to is not known yet
            return self.make_null_session(app)
        try:
            return super().open_session(app, request)
        except (PeeweeException, DatabaseUnavailable) as error:
            g.no_key = error
            return self.make_null_session(app)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, NullSession):
            super().save_session(app, session, response)


def set_up_cookie(app: Flask, address: str) -> None:
    """A session's cookie: for our pages alone, and with https for this host alone."""
    is_secure = address.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-guerdon" if is_secure else "guerdon",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS // 1000,
    )
    app.session_interface = Sessions()


def meet() -> Any:
    """Before every request: refuse what another site sends, and ask strangers who they are."""
    g.person = None
    if request.method not in SAFE and request.headers.get("Sec-Fetch-Site") in OTHERS:
        abort(403, description=_("Another site sent this: nothing was done."))
    if request.endpoint in FOR_STRANGERS:
        return None
    if "no_key" in g:
        raise g.no_key
    g.person = find_visitor(get_guerdon())
    if g.person:
        return None
    # Also what strangers may see: else a link to it would put a new session in the place of one's own.
    return bounce() or (None if request.endpoint in SIGNING else refuse_stranger())


def bounce() -> str | None:
    """A link from elsewhere comes without our strict cookie: asked again from here, it comes with it."""
    headers = request.headers
    is_link = headers.get("Sec-Fetch-Site") == "cross-site" and request.method == "GET"
    if not is_link or headers.get("Sec-Fetch-Mode") != "navigate":
        return None
    if not is_own_path(request.full_path):
        return None  # what browsers would take for another's address
    return render_template("bounce.html", address=request.full_path)


def refuse_stranger() -> Any:
    """To the form, and from there back to what was asked; a part of a page has no use for a form."""
    if is_part():
        abort(401, description=_("Your session has ended."))
    wanted = request.full_path.removesuffix("?") if request.method in SAFE else "/"
    return redirect(url_for("signing.ask_who", next=wanted), 302)


def set_headers(response: Response) -> Response:
    """What browsers may do with an answer."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    is_static = request.endpoint == "static" and response.status_code in (200, 304)
    response.headers["Cache-Control"] = STATIC_LASTS if is_static else "no-store"
    if session and not is_static:
        response.vary.add("Cookie")
    return response
