"""A proxy on the way out, where nothing else leads out: a tunnel for https, and asked itself for http."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.network.addresses import Address
from app.network.exchange import exchange, write_request

USUAL_PORT = 80
MOST_SAID = 65536  # bytes of a refusal


class ProxyRefused(OSError):
    """The proxy opens no tunnel; `status` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


@dataclass(frozen=True)
class Proxy:
    """Who is asked in place of the destination."""

    host: str
    port: int
    headers: dict[str, str] = field(repr=False)  # what it wants to know of us
    direct: Sequence[str] = ()  # hosts that are reached without it; ".example": all below that

    def serves(self, host: str) -> bool:
        """Whether this host is reached through it."""
        name = host.lower().rstrip(".")
        return not any(
            name == one.lstrip(".") or (one.startswith(".") and name.endswith(one))
            for one in map(str.lower, self.direct)
        )

    def open_tunnel(self, connection: Any, host: str, port: int, deadline: float) -> None:
        """Have a connection to the proxy lead to a host (RFC 9110, 9.3.6); `deadline` by time.monotonic().

        Raises ProxyRefused, and what exchange() raises.
        """
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        request = write_request("CONNECT", target, target, self.headers, None)
        answer = exchange(connection, request, deadline, MOST_SAID, has_body=False)
        if answer.status != 200:
            raise ProxyRefused(answer.status)


def make_proxy(url: str, user: str, password: str, direct: Sequence[str]) -> Proxy:
    """The proxy at http://host:port, which may want a user and a password."""
    parts = urlsplit(url)
    headers = {"Proxy-Authorization": f"Basic {write_login(user, password)}"} if user else {}
    return Proxy(parts.hostname or "", parts.port or USUAL_PORT, headers, tuple(direct))


def write_login(user: str, password: str) -> str:
    """What a proxy is told of us, as Basic has it (RFC 7617)."""
    return b64encode(f"{user}:{password}".encode()).decode()


def choose_proxy(proxy: Proxy | None, address: Address) -> Proxy | None:
    """The proxy, if this address is reached through it."""
    if proxy is None:
        return None
    host = urlsplit(address.origin).hostname
    return proxy if host and proxy.serves(host) else None
