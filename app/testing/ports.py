"""Free ports for servers of tests, apart for each process of pytest."""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import suppress

LOWEST_PORT, PORTS_EACH, PORT_RANGES = 12_000, 2_000, 10


def list_ports() -> Iterator[int]:
    """Ports of this process of pytest, below those that the system gives to whoever asks for any."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_RANGES
    first = LOWEST_PORT + number * PORTS_EACH
    begin = os.getpid() % PORTS_EACH  # another run beside this one begins elsewhere
    return itertools.cycle(
        [*range(first + begin, first + PORTS_EACH), *range(first, first + begin)]
    )


PORTS = list_ports()


def find_free_port() -> int:
    """A port that nobody listens on, and that nobody else is about to take."""
    for port in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("it goes round")
