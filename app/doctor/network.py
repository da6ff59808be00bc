"""Whom the plugins ask and tell: is each host reached, how soon, and how long does its certificate last?"""

import ipaddress
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from app.doctor.findings import Check, Finding, fail, say_ok, warn
from app.guerdon import Guerdon
from app.network.addresses import split_address
from app.network.client import Http
from app.opening import open_network
from app.porch.errors import NetworkFailed

PATIENCE = 5.0  # seconds
SLOW = 1000  # ms
DAY = 86_400_000  # ms
FEW_DAYS, LAST_DAYS = 14, 3


def list_host_checks(guerdon: Guerdon) -> Iterator[Check]:
    """One for each host that a plugin's section names; each is only asked for its front page."""
    users: dict[str, list[str]] = {}
    for plugin, section in guerdon.plugins.settings.items():
        for origin in dict.fromkeys(find_origins(section)):
            users.setdefault(origin, []).append(plugin)
    for origin, plugins in users.items():
        yield make_host_check(origin, f"host of {', '.join(plugins)}")


def find_origins(value: Any) -> Iterator[str]:
    """https://host of each address in a plugin's settings, however deep."""
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        yield split_address(value).origin
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from find_origins(inner)
    elif hasattr(value, "values"):
        for inner in value.values():
            yield from find_origins(inner)


def make_host_check(origin: str, about: str) -> Check:
    def look(guerdon: Guerdon) -> Iterator[Finding]:
        allowed = {split_address(one).origin for one in guerdon.config.network.only_to}
        if allowed and origin not in allowed:
            yield warn(about, f"{origin} is not asked", f'[network] only_to = [..., "{origin}"]')
            return
        http = open_network(guerdon.config.network)
        try:
            yield judge_host(http, origin, about, guerdon.now())
        finally:
            http.close()

    return Check(about, look, 2 * PATIENCE + 1)


def judge_host(http: Http, origin: str, about: str, now: int) -> Finding:
    """`now` in ms since the epoch."""
    began = time.monotonic()
    try:
        status = http.request("GET", f"{origin}/", total=PATIENCE).status
        took = round((time.monotonic() - began) * 1000)
        ends = http.read_certificate_end(origin, PATIENCE)
    except NetworkFailed as error:
        text = f"{origin} cannot be reached: {error}"
        return fail(about, text, f"curl -v {origin}/   (from this host; see [network] proxy)")
    text = f"{origin} answered {status} in {took:,} ms"
    if ends is None:
        if is_far(origin):
            return warn(
                about, f"{text}, in plain for all to read", f"https in [plugins.…]: {about}"
            )
        return say_ok(about, text)
    days = (ends - now) // DAY
    text = f"{text}; its certificate lasts {days} days"
    if days < FEW_DAYS:
        finding = fail if days < LAST_DAYS else warn
        return finding(about, text, f"tell whoever runs {origin} to renew it")
    if took > SLOW:
        return warn(about, text, f"curl -w '%{{time_total}}' {origin}/   (from this host)")
    return say_ok(about, text)


def is_far(origin: str) -> bool:
    """Whether what is said to it leaves the studio's own network."""
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".internal", ".local", ".localhost"))
