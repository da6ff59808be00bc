"""Who asks: by a session of one who signed in, or by the word of a proxy that is believed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flask import request, session
from werkzeug.security import check_password_hash, generate_password_hash

from app.config.dashboard import Dashboard, Person, Role
from app.guerdon import Guerdon

SESSION_LASTS = 12 * 3600 * 1000  # ms
SALTED = "scrypt:32768:8:1"
# What is compared where nobody has this name: it takes as long, and nothing is equal to it.
NOBODY = f"{SALTED}$0000000000000000${'0' * 128}"


class Way(StrEnum):
    """How somebody came in."""

    PASSWORD = "password"  # noqa: S105  (a word for it)
    HEADER = "header"
    OIDC = "oidc"


@dataclass(frozen=True)
class Visitor:
    """One who may look at least."""

    name: str
    role: Role
    way: Way


def hash_password(password: str) -> str:
    """What the config keeps of a password; it takes a third of a second, as checking one does."""
    return generate_password_hash(password, SALTED)


def check_password(users: Iterable[Person], name: str, password: str) -> Person | None:
    """The user of this name and password, or None; it takes as long whatever is wrong."""
    user = next((one for one in users if one.name == name), None)
    kept = user.password.reveal() if user and user.password else NOBODY
    return user if check_password_hash(kept, password) and user else None


def find_visitor(guerdon: Guerdon) -> Visitor | None:
    """Who asks this request; None for a stranger."""
    dashboard = guerdon.config.dashboard
    named = find_named(dashboard)
    return named or find_signed_in(dashboard, guerdon.now())


def find_named(dashboard: Dashboard) -> Visitor | None:
    """Whom a proxy names; its header counts for nothing from anybody else."""
    if not dashboard.user_header or not dashboard.is_proxy(request.remote_addr or ""):
        return None
    named = request.headers.get(dashboard.user_header)
    found = next((one for one in dashboard.header_users if one.name == named), None)
    return Visitor(found.name, found.role, Way.HEADER) if found else None


def find_signed_in(dashboard: Dashboard, now: int) -> Visitor | None:
    """Whose session it is: with a role of now, and ended by another password."""
    at = session.get("at")
    if not isinstance(at, int) or not 0 <= now - at < SESSION_LASTS:
        return None
    way = Way(session["way"])
    people = (
        dashboard.users if way == Way.PASSWORD else dashboard.oidc.people if dashboard.oidc else ()
    )
    found = next((one for one in people if make_mark(one) == session["mark"]), None)
    return Visitor(found.name, found.role, way) if found else None


def sign_in(person: Person, way: Way, now: int) -> None:
    """Begin a session of this person's own: nothing of an earlier one is left in it."""
    session.clear()
    session.permanent = True
    session.update({"way": way, "mark": make_mark(person), "at": now})


def make_mark(person: Person) -> str:
    """What a session knows somebody by; another as soon as he has another password."""
    kept = person.password.reveal() if person.password else ""
    return hashlib.sha256("\0".join((person.name, person.subject, kept)).encode()).hexdigest()[:32]


def find_address(dashboard: Dashboard) -> str:
    """Where a request comes from: before a proxy that is believed, whom it names last."""
    direct = request.remote_addr or ""
    if dashboard.is_proxy(direct):
        return request.headers.get("X-Forwarded-For", direct).rpartition(",")[2].strip() or direct
    return direct
