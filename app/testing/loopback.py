"""A small HTTP server on loopback, in a thread of its own, for stand-ins."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackServer(ThreadingHTTPServer):
    """Serves from its making on, at `url`, until `end`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hung up is part of many tests; of other errors the stand-in tells."""

    def end(self) -> None:
        """Take no more requests."""
        self.shutdown()
        self.server_close()
        self._thread.join()
