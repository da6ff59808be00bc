"""Two services, alike but for the lane of deliveries, and whoever says the same to both."""

import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from app.testing.vote_api import VoteApi
from tests.network.test_raw_sockets import WAYS, Service, read_all

PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
DATE = re.compile(rb"\r\nDate: [^\r]+")
# gunicorn's words for what is no HTTP differ with what of it has come when it is looked at.
REFUSAL = re.compile(rb"Content-Length: \d+\r\n\r\n<html>.*?</html>\n", re.DOTALL)


def ask(service: Service, pieces: list[bytes]) -> bytes:
    """All that is answered until the connection ends, with no dates."""
    with service.connect() as client:
        with suppress(OSError):  # it hangs up while we still talk
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.004 * (len(pieces) > 1))
            client.shutdown(socket.SHUT_WR)
        return REFUSAL.sub(b"", DATE.sub(b"", read_all(client)))


def list_paid(service: Service) -> list[Any]:
    path = next(Path(service.server.log).parent.glob("*.db"))
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT event_id FROM guerdon_events ORDER BY event_id").fetchall()


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    vote_api = VoteApi()
    services = {}
    for name, arguments in WAYS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GUNICORN_CMD_ARGS", arguments)
            patch.setenv("PYTHONHASHSEED", "0")  # Flask's Allow lists a set
            services[name] = Service(tmp_path_factory.mktemp(name), vote_api)
    yield services
    for service in services.values():
        service.server.stop()
    vote_api.close()
