"""A vote API over real HTTP on loopback, told by the test how to behave."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class VoteApi:
    """Answers GET /votes/<id>. `votes` maps an id to its response; any other id votes for `nickname`.

    Set `behave` to a function of the handler to answer otherwise; `asked` lists the ids asked for.
    """

    def __init__(self) -> None:
        self.votes: dict[str, Any] = {}
        self.nickname: Callable[[str], str] = lambda id: "Bob"
        self.server_id: Any = 1
        self.behave: Callable[[Any], None] | None = None
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                id = self.path.rpartition("/")[2]
                api.asked.append(id)
                if api.behave is not None:
                    api.behave(self)
                    return
                default = {
                    "id": id, "nickname": api.nickname(id), "server": {"id": api.server_id},
                    "user": {"id": 7}, "created_at": 1_700_000_000,
                }  # fmt: skip
                answer(self, 200, {"response": api.votes.get(id, default)})

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that hung up is part of many tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(handler: Any, status: int, body: Any, **headers: str) -> None:
    """Send a JSON body, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def drip(handler: Any, pause: float = 0.5) -> None:
    """An answer that never quite ends: a byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(pause)
