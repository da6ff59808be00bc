"""Who asks: by a session of one who signed in, or by the word of a proxy that is believed."""

import hashlib
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flask import request, session
from werkzeug.security import check_password_hash, generate_password_hash

from app.config.dashboard import Dashboard, Person, Role
from app.dashboard.ended import is_ended
from app.guerdon import Guerdon
from app.porch.fields import Secret

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
    return named or find_signed_in(guerdon)


def find_named(dashboard: Dashboard) -> Visitor | None:
    """Whom a proxy names; its header counts for nothing from anybody else."""
    if not dashboard.user_header or not dashboard.is_proxy(request.remote_addr or ""):
        return None
    named = request.headers.get(dashboard.user_header)
    found = next((one for one in dashboard.header_users if one.name == named), None)
    return Visitor(found.name, found.role, Way.HEADER) if found else None


def find_signed_in(guerdon: Guerdon) -> Visitor | None:
    """Whose session it is: with a role of now, and ended by another password, or by signing out."""
    at, id = session.get("at"), session.get("id")
    if not isinstance(at, int) or not 0 <= guerdon.now() - at < SESSION_LASTS or not id:
        return None
    way = Way(session["way"])
    people = list_people(guerdon.config.dashboard, way)
    found = next((person for person, mark in people if mark == session["mark"]), None)
    if found is None or is_ended(guerdon, id):
        return None
    return Visitor(found.name, found.role, way)


def sign_in(person: Person, way: Way, guerdon: Guerdon) -> str:
    """Begin a session of this person's own: nothing of an earlier one is left in it. His mark."""
    mark = dict(list_people(guerdon.config.dashboard, way))[person]
    session.clear()
    session.permanent = True
    at = guerdon.now()
    session.update({"way": way, "mark": mark, "at": at, "id": secrets.token_hex(16)})
    return mark


def list_people(dashboard: Dashboard, way: Way) -> list[tuple[Person, str]]:
    """Who may come in this way, each with the mark that a session knows him by."""
    if way == Way.PASSWORD:
        return [(one, make_mark(one, one.password)) for one in dashboard.users]
    oidc = dashboard.oidc
    return [(one, make_mark(one, oidc.client_secret)) for one in oidc.people] if oidc else []


def make_mark(person: Person, kept: Secret | None) -> str:
    """Another as soon as there is another secret, without which a copy of the database makes none."""
    parts = (person.name, person.subject, kept.reveal() if kept else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def find_address(dashboard: Dashboard) -> str:
    """Where a request comes from: before proxies that are believed, the last one that is none of them."""
    address = request.remote_addr or ""
    named = request.headers.get("X-Forwarded-For", "").split(",")
    while named and dashboard.is_proxy(address):
        before = read_address(named.pop())
        if before is None:
            break  # what it is the last proxy did not say
        address = before
    return address


def read_address(said: str) -> str | None:
    """An address as proxies write it, which may have a port; None where it is none."""
    text = said.strip()
    text = text[1:].partition("]")[0] if text.startswith("[") else text
    text = text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def find_neighbours(address: str) -> str:
    """Whose tries are counted together: of IPv6 whoever has one address has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
