"""Signing in and out: slowly enough for nobody to guess, and with one answer for whatever is wrong."""

import hashlib
from typing import Any

import structlog
from flask import Blueprint, g, make_response, redirect, render_template, request, session, url_for
from flask_limiter import Limiter

from app.dashboard.addresses import is_own_path
from app.dashboard.ended import end_session
from app.dashboard.frame import get_guerdon
from app.dashboard.known import find_browser, remember_browser
from app.dashboard.people import (
    SESSION_LASTS,
    Way,
    check_password,
    find_address,
    find_neighbours,
    sign_in,
)
from app.dashboard.slots import KNOWN, PASSWORDS

log = structlog.get_logger()
signing = Blueprint("signing", __name__)
BY_ADDRESS, BY_USER = "10 per minute", "20 per 15 minutes"
LONGEST_PASSWORD = 1024  # characters


def find_asking_address() -> str:
    return find_address(get_guerdon().config.dashboard)


def find_neighbourhood() -> str:
    return find_neighbours(find_asking_address())


def find_known_browser() -> str | None:
    """The browser, where it is one that the person who is named has signed in with."""
    return find_browser(get_guerdon().config.dashboard, request.form.get("name", ""))


def find_trying_address() -> str:
    return find_known_browser() or find_neighbourhood()


def find_tried_name() -> str:
    """The name that is tried, which may be long and anything, as something short."""
    name = request.form.get("name", "").encode(errors="replace")
    return find_known_browser() or hashlib.sha256(name).hexdigest()


# Exact, since the dashboard is one process.
limiter = Limiter(find_neighbourhood, storage_uri="memory://", headers_enabled=False)


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
@limiter.limit(BY_ADDRESS, key_func=find_trying_address)
@limiter.limit(BY_USER, key_func=find_tried_name)
def take_password() -> Any:
    """Sign in with a password."""
    guerdon = get_guerdon()
    users = guerdon.config.dashboard.users
    name, password = request.form.get("name", ""), request.form.get("password", "")
    # Of another name nothing is told: it may be a password in the wrong field.
    is_name = any(one.name == name for one in users)
    told = log.bind(person=name if is_name else "unknown", address=find_asking_address())
    with (KNOWN if find_known_browser() else PASSWORDS).take():
        user = check_password(users, name, password[:LONGEST_PASSWORD])
    if user is None or len(password) > LONGEST_PASSWORD:
        told.warning("not signed in")
        return render_template("sign_in.html", wrong=True, next=find_next()), 403
    mark = sign_in(user, Way.PASSWORD, guerdon)
    told.info("signed in")
    return remember_browser(make_response(redirect(find_next(), 303)), mark)


@signing.post("/sign-out")
def sign_out() -> Any:
    """End this session, wherever its cookie is. Whom a proxy names is named again with the next request."""
    if "id" in session:
        end_session(get_guerdon(), session["id"], SESSION_LASTS)
    session.clear()
    return redirect(url_for("signing.ask_who"), 303)


@signing.get("/healthz")
def tell_alive() -> tuple[str, dict[str, str]]:
    """The process lives; anybody may ask."""
    return "alive\n", {"Content-Type": "text/plain; charset=utf-8"}
