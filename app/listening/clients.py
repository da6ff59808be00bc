"""Clients of a port: each has a deadline and so many bytes; of too many, a crowd's oldest makes room."""

import socket
import threading
import time
from contextlib import suppress

from app.porch.addresses import plain_address
from app.porch.errors import BadDelivery

MOST = 500  # of one port, in each process


class Client:
    """One who is connected; what listeners are given as a Connection."""

    def __init__(
        self, connection: socket.socket, address: str, patience: float, limit: int
    ) -> None:
        """`patience` in seconds from now to the end of it all; `limit` in bytes that he may send."""
        self._socket = connection
        self.sender = plain_address(address) or address
        self._ends_at = time.monotonic() + patience
        self._left = limit
        self.is_evicted = False

    def receive(self, most: int) -> bytes:
        """As Connection says."""
        self._set_time()
        data = self._socket.recv(max(1, min(most, self._left + 1)))
        self._left -= len(data)
        if self._left < 0:
            raise BadDelivery("it sends more than a vote has")
        return data

    def send(self, data: bytes) -> None:
        """As Connection says."""
        self._set_time()
        self._socket.sendall(data)

    def evict(self) -> None:
        """Have him make room: his next call fails."""
        self.is_evicted = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """He has been served."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _set_time(self) -> None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class Crowd:
    """All clients of a port. Whoever comes from where most come from makes room, the oldest first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._clients: dict[str, dict[Client, None]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self.is_empty = threading.Event()
        self.is_empty.set()

    def enter(self, client: Client) -> None:
        """He is served from now on."""
        with self._lock:
            self._clients.setdefault(client.sender, {})[client] = None
            self._count += 1
            self.is_empty.clear()
            crowd = max(self._clients.values(), key=len) if self._count > self._most else {}
            oldest = next((one for one in crowd if not one.is_evicted), None)
        if oldest:
            self.leave(oldest)
            oldest.evict()

    def leave(self, client: Client) -> None:
        """He is served no more; again is fine."""
        with self._lock:
            of_his = self._clients.get(client.sender, {})
            if client not in of_his:
                return
            del of_his[client]
            self._count -= 1
            if not of_his:
                del self._clients[client.sender]
            if not self._count:
                self.is_empty.set()
