"""GET /metrics, for Prometheus: for who has a key of [metrics] keys, or asks from this host itself."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, current_app, request

from app.guerdon import Guerdon
from app.porch.fields import Secret, find_secret

metrics = Blueprint("metrics", __name__)

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OF_A_PROXY = re.compile(r"forwarded|x-forwarded-.*|x-real-ip|via", re.IGNORECASE)


@metrics.get("/metrics")
def show_metrics() -> Response:
    """The numbers of this host's processes and of the database; 401 for who may not read them."""
    guerdon: Guerdon = current_app.extensions["guerdon"]
    if not may_read(request, guerdon.config.metrics.keys):
        asked = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return Response("a key of [metrics] keys, please\n", 401, asked, mimetype="text/plain")
    return Response(guerdon.watch.write_metrics(), content_type=TEXT)


def may_read(request: Request, keys: Sequence[Secret]) -> bool:
    """Whether it has a key, or comes from this host, by its own name, and through no proxy on it."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and find_secret(
        given.strip(" ").encode("latin-1", "replace"), keys
    ):
        return True
    is_proxied = any(OF_A_PROXY.fullmatch(name) for name, value in request.headers)
    return is_loopback(request.remote_addr) and is_here(request.host) and not is_proxied


def is_here(host: str) -> bool:
    """Whether this host was asked by its own name: a site whose name leads here is somebody else's page."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str | None) -> bool:
    """False too where there is no address, as of a Unix socket: a proxy may be behind it."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
