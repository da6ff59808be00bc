"""A host's addresses, by a deadline: the system's resolver has none, and may take half a minute."""

import ipaddress
import socket
import threading
from collections.abc import Callable

from app.network.exchange import find_left
from app.pending import Pending

MOST = 32  # names that are looked up at once; each may take as long as the system likes


def look_up(host: str) -> list[str]:
    """The addresses of a name, the best first; raises OSError, or ValueError for what is no name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Asks `look_up` in a thread of its own, one a name, which is left to itself when time is up.

    Whoever wants a name that is being looked up waits for that answer: under gevent the system's
    resolver has ten threads for the whole process, and a dead name would soon have them all.
    """

    def __init__(self, look_up: Callable[[str], list[str]] = look_up) -> None:
        self._look_up = look_up
        self._running: dict[str, Pending[list[str]]] = {}
        self._lock = threading.Lock()

    def find(self, host: str, deadline: float) -> list[str]:
        """The addresses of a host; raises TimeoutError at the deadline, OSError where there is none."""
        if is_address(host):
            return [host]
        return self._ask(host).wait(find_left(deadline))

    def _ask(self, host: str) -> Pending[list[str]]:
        with self._lock:
            if host in self._running:
                return self._running[host]
            if len(self._running) >= MOST:
                raise TimeoutError
            self._running[host] = pending = Pending[list[str]]()
        threading.Thread(target=self._answer, args=(host, pending), daemon=True).start()
        return pending

    def _answer(self, host: str, pending: Pending[list[str]]) -> None:
        try:
            pending.give(self._look_up(host))
        except Exception as error:
            pending.fail(error)
        finally:
            with self._lock:
                del self._running[host]


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def reach_address(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to an IP address, by a socket alone: the system's resolver may be busy.

    Raises OSError.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, port))
    except BaseException:
        connection.close()
        raise
    return connection
