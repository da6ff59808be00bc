"""A vote API over real HTTP on loopback, told by the test how to behave."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from app.testing.loopback import LoopbackServer


class VoteApi:
    """Answers GET /votes/<id>. `votes` maps an id to its response; any other id votes for `nickname`.

    Set `behave` to a function of the handler to answer otherwise; `asked` lists the ids asked for.
    """

    def __init__(self) -> None:
        self.votes: dict[str, Any] = {}
        self.nickname: str | Callable[[str], str] = "Bob"  # or who votes by which id
        self.server_id: Any = 1
        self.created_at = 1_700_000_000  # seconds: when the votes were cast
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
                nickname = api.nickname(id) if callable(api.nickname) else api.nickname
                default = {
                    "id": id, "nickname": nickname, "server": {"id": api.server_id},
                    "user": {"id": 7}, "created_at": api.created_at,
                }  # fmt: skip
                answer(self, 200, {"response": api.votes.get(id, default)})

            def log_message(self, *args: Any) -> None:
                pass

        self._server = LoopbackServer(Handler)
        self.url = self._server.url

    def close(self) -> None:
        self._server.end()


def answer(handler: Any, status: int, body: Any, **headers: str) -> None:
    """Send a JSON body, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def answer_vote(handler: Any) -> None:
    """Rightly: the vote "v-7-p3" is by the player p3, server 1."""
    id = handler.path.rpartition("/")[2]
    vote = {"id": id, "nickname": id.rpartition("-")[2], "server": {"id": 1}}
    answer(handler, 200, {"response": vote})


def drip(handler: Any, pause: float = 0.5) -> None:
    """An answer that never quite ends: a byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(pause)


class FastVoteApi:
    """A vote API in a process of its own, for load. The vote "x-7-p3" is by the player p3, server 1.

    While `sicken(share)` holds, one vote in `share` gets 500; `heal()` ends that.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "app.testing.vote_api"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def sicken(self, share: int) -> None:
        urllib.request.urlopen(f"{self.url}/sicken/{share}").close()

    def heal(self) -> None:
        self.sicken(0)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class FastVotes(asyncio.Protocol):
    """One connection of FastVoteApi: GET requests without bodies, answered as they come."""

    share = 0

    def connection_made(self, transport: Any) -> None:
        self._transport, self._received = transport, b""

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for request in requests:
            verb, _, id = request.split(b" ", 2)[1].decode().rpartition("/")
            status, body = self.decide(verb, id)
            content = json.dumps(body).encode()
            head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(content)}\r\n\r\n"
            self._transport.write(head.encode() + content)

    def decide(self, verb: str, id: str) -> tuple[int, Any]:
        if verb == "/sicken":
            FastVotes.share = int(id)
        elif self.share and zlib.crc32(id.encode()) % self.share == 0:
            return 500, {"error": "ill"}
        nickname = id.rpartition("-")[2]
        vote = {"id": id, "nickname": nickname, "server": {"id": 1}, "created_at": 1_700_000_000}
        return 200, {"response": vote}


async def serve_votes() -> None:
    server = await asyncio.get_running_loop().create_server(FastVotes, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve_votes())
