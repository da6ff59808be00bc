"""A host's addresses, by a deadline: the system's resolver has none, and may take half a minute."""

import ipaddress
import socket
import threading
from collections.abc import Callable

from app.exchange import find_left

MOST = 32  # names that are looked up at once; each waits as long as the system likes


def look_up(host: str) -> list[str]:
    """The addresses of a name, the best first; raises OSError, or ValueError for what is no name."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Asks `look_up` in a thread of its own, which is left to itself when time is up."""

    def __init__(self, look_up: Callable[[str], list[str]] = look_up) -> None:
        self._look_up = look_up
        self._places = threading.BoundedSemaphore(MOST)

    def find(self, host: str, deadline: float) -> list[str]:
        """The addresses of a host; raises TimeoutError at the deadline, OSError where there is none."""
        if is_address(host):
            return [host]
        if not self._places.acquire(timeout=find_left(deadline)):
            raise TimeoutError
        ended = threading.Event()
        found: list[list[str] | Exception] = []

        def ask() -> None:
            try:
                found.append(self._look_up(host))
            except Exception as error:
                found.append(error)
            finally:
                self._places.release()
                ended.set()

        threading.Thread(target=ask, daemon=True).start()
        if not ended.wait(max(0.0, find_left(deadline))):
            raise TimeoutError
        (answer,) = found
        if isinstance(answer, Exception):
            raise answer
        return answer


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
