"""What stands where a proxy looks for the dashboard: it says what it was asked, and by which headers."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from app.testing.loopback import LoopbackServer
from app.testing.vote_api import answer

# By which proxies that have people sign in name them; none of them may come from a client.
USER_HEADERS = (
    "Remote-User",
    "X-Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Email",
    "X-Auth-Request-User",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Email",
    "X-Authentik-Username",
    "X-Webauth-User",
)


class DashboardStandIn:
    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer(self, 200, json.dumps({"path": self.path, **headers}).encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._server = LoopbackServer(Handler)
        self.port = int(self._server.url.rpartition(":")[2])

    def close(self) -> None:
        self._server.end()
