"""Who is at an address: sites that sign nothing are known by where their requests come from."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Collection
from functools import lru_cache

from app.pending import Pending
from app.porch.errors import NotReady

KEPT = 300.0  # seconds that a name's addresses are believed
AGAIN = 30.0  # seconds after which a name that had no answer is asked for again
PATIENCE = 3.0  # seconds to wait for an answer
MOST = 32  # names that are looked up at once


@lru_cache(maxsize=4096)
def plain_address(text: str) -> str:
    """An address of IP as it is usually written, an IPv4 one within IPv6 as IPv4; "" for what is none.

    Some proxies put brackets around it and a port behind it.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def look_up(host: str) -> frozenset[str]:
    """The addresses of a name, by the system's resolver; raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return frozenset(plain_address(str(address[0])) for *_, address in found)


class Names:
    """Addresses of names, kept a while; where none can be had, those from before are still believed."""

    def __init__(
        self,
        look_up: Callable[[str], frozenset[str]] = look_up,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` gives seconds."""
        self._look_up = look_up
        self._now = now
        self._known: dict[str, tuple[float, frozenset[str]]] = {}  # until when, and which
        self._running: dict[str, Pending[frozenset[str]]] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> frozenset[str]:
        """The addresses of a name; raises NotReady where nobody knows them yet."""
        until, kept = self._known.get(name, (float("-inf"), frozenset()))
        if self._now() < until:
            return self._require(name, kept)
        pending = self._ask(name)
        if kept:  # nobody waits for what has most likely not changed
            return kept
        try:
            return self._require(name, pending.wait(PATIENCE))
        except (TimeoutError, OSError):
            return self._require(name, kept)

    def _require(self, name: str, addresses: frozenset[str]) -> frozenset[str]:
        if not addresses:
            raise NotReady(f"the address of {name} cannot be looked up just now")
        return addresses

    def _ask(self, name: str) -> Pending[frozenset[str]]:
        with self._lock:
            if name in self._running:
                return self._running[name]
            pending: Pending[frozenset[str]] = Pending()
            if len(self._running) >= MOST:
                pending.fail(TimeoutError())
                return pending
            self._running[name] = pending
        threading.Thread(target=self._answer, args=(name, pending), daemon=True).start()
        return pending

    def _answer(self, name: str, pending: Pending[frozenset[str]]) -> None:
        _, kept = self._known.get(name, (0.0, frozenset()))
        try:
            found = self._look_up(name)
            self._known[name] = (self._now() + KEPT, found)
            pending.give(found)
        except Exception as error:
            self._known[name] = (self._now() + AGAIN, kept)
            pending.fail(error if isinstance(error, OSError) else OSError(str(error)))
        finally:
            with self._lock:
                del self._running[name]


NAMES = Names()  # of this process


def is_from(sender: str, allowed: Collection[str], names: Names = NAMES) -> bool:
    """Whether `sender`, as read_delivery is given it, is one of these addresses, networks or host names.

    Raises NotReady, which asks its site to come again, where only a name can tell and that has no
    addresses just now.
    """
    hosts: list[str] = []
    try:
        address = ipaddress.ip_address(sender)
    except ValueError:
        return False
    for one in allowed:
        try:
            if address in ipaddress.ip_network(one, strict=False):
                return True
        except ValueError:
            hosts.append(one)
    unknown: NotReady | None = None
    for host in hosts:
        try:
            if sender in names.find(host):
                return True
        except NotReady as error:
            unknown = error
    if unknown:
        raise unknown
    return False
