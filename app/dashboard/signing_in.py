"""Signing in and out: slowly enough for nobody to guess, and with one answer for whatever is wrong."""

import hashlib
from typing import Any

import structlog
from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask_limiter import Limiter

from app.dashboard.addresses import is_own_path
from app.dashboard.frame import get_guerdon
from app.dashboard.people import Way, check_password, find_address, sign_in

log = structlog.get_logger()
signing = Blueprint("signing", __name__)
BY_ADDRESS, BY_USER = "10 per minute", "20 per 15 minutes"
LONGEST_PASSWORD = 1024  # characters


def find_asking_address() -> str:
    return find_address(get_guerdon().config.dashboard)


def find_asked_name() -> str:
    """The name that is tried, which may be long and anything, as something short."""
    return hashlib.sha256(request.form.get("name", "").encode()).hexdigest()


# Exact, since the dashboard is one process.
limiter = Limiter(find_asking_address, storage_uri="memory://", headers_enabled=False)


def find_next() -> str:
    """The page that somebody wanted to see when he was asked who he is."""
    wanted = request.args.get("next", "/")
    return wanted if is_own_path(wanted) else "/"


@signing.get("/sign-in")
def ask_who() -> Any:
    """The form; whoever is signed in already is led on."""
    if g.person:
        return redirect(find_next())
    return render_template("sign_in.html", wrong=False, next=find_next())


@signing.post("/sign-in")
@limiter.limit(BY_ADDRESS)
@limiter.limit(BY_USER, key_func=find_asked_name)
def take_password() -> Any:
    """Sign in with a password."""
    guerdon = get_guerdon()
    name, password = request.form.get("name", ""), request.form.get("password", "")
    told = log.bind(person=name[:255], address=find_asking_address())
    user = check_password(guerdon.config.dashboard.users, name, password[:LONGEST_PASSWORD])
    if user is None or len(password) > LONGEST_PASSWORD:
        told.warning("not signed in")
        return render_template("sign_in.html", wrong=True, next=find_next()), 403
    sign_in(user, Way.PASSWORD, guerdon.now())
    told.info("signed in")
    return redirect(find_next(), 303)


@signing.post("/sign-out")
def sign_out() -> Any:
    """End this session. Whom a proxy names is named again with the next request."""
    session.clear()
    return redirect(url_for("signing.ask_who"), 303)


@signing.get("/healthz")
def tell_alive() -> tuple[str, dict[str, str]]:
    """The process lives; anybody may ask."""
    return "alive\n", {"Content-Type": "text/plain; charset=utf-8"}
