"""From which address a request comes: whoever is connected, or whom a proxy of ours says it stands for."""

import ipaddress
from collections.abc import Collection
from functools import lru_cache

from app.config.server import UNIX
from app.porch.addresses import plain_address


def find_sender(direct: str, forwarded: str, proxies: Collection[str]) -> str:
    """The address nearest to us that is no proxy of ours.

    `direct`: who is connected; "" by a socket in the file system. `forwarded`: X-Forwarded-For as it
    came, in which each proxy writes last whom it has it from. What strangers wrote before is not read.
    """
    address = plain_address(direct) or direct
    if not proxies:
        return address
    path = [part.strip() for part in forwarded.split(",") if part.strip()]
    while path and is_among(address, tuple(proxies)):
        address = plain_address(path.pop())
        if not address:  # no proxy of ours writes such a thing
            break
    return address


@lru_cache(maxsize=1024)
def is_among(address: str, proxies: tuple[str, ...]) -> bool:
    """Whether an address is one of these, or in one of these networks."""
    if not address:
        return UNIX in proxies
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(known in ipaddress.ip_network(one) for one in proxies if one != UNIX)
