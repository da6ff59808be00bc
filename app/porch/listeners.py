"""What a source listens with that speaks a protocol of its own over TCP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.porch.errors import BadDelivery


class Connection(Protocol):
    """A client of a listener. It has a deadline, and so many bytes; each call may raise OSError."""

    @property
    def sender(self) -> str:
        """The address that it comes from, for is_from."""

    def receive(self, most: int) -> bytes:
        """What has come, at most so many bytes; b"" where no more will come.

        Raises BadDelivery where more came than the listener takes.
        """

    def send(self, data: bytes) -> None:
        """Send all of it."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP port, for open_listeners: `serve` speaks with one client, who is then hung up on.

    Raise BadDelivery, or BadSignature, from it for what is refused: it is told in the log, once a minute,
    and to nobody else.
    """

    source: str  # the plugin's name
    bind: str  # "127.0.0.1:8192", "[::1]:8192"
    serve: Callable[[Connection], None]
    patience: float = 5.0  # seconds that a client has in all
    limit: int = 4096  # bytes that it may send


def receive_until(client: Connection, is_whole: Callable[[bytes], bool], most: int = 4096) -> bytes:
    """All that a client sends until it is whole; raises BadDelivery where he hangs up before."""
    raw = b""
    while not is_whole(raw):
        more = client.receive(most)
        if not more:
            raise BadDelivery("it hung up in the middle" if raw else "it said nothing")
        raw += more
    return raw
