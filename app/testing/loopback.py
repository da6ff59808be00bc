"""A small HTTP server on loopback, in a thread of its own, for stand-ins."""

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackServer(ThreadingHTTPServer):
    """Serves from its making on, at `url`, until `end`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._has_ended = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """Without the looks at a clock of `serve_forever`, for which every test's end would wait."""
        while not self._has_ended:
            self.handle_request()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Not for who comes only to wake us."""
        return not self._has_ended

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hung up is part of many tests; of other errors the stand-in tells."""

    def end(self) -> None:
        """Take no more requests."""
        self._has_ended = True
        while self._thread.is_alive():
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.server_port), timeout=1).close()
            self._thread.join(0.05)
        self.server_close()
