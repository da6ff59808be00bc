"""A proxy on the way out: tunnels for CONNECT, and http asked for with the whole address."""

import base64
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class ForwardProxy:
    """Notes the first line of each request; wants `user:password` where that is set."""

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        self.refusal = b""  # what it answers in place of a tunnel
        self._login = base64.b64encode(login.encode()).decode() if login else ""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(65536)):
                    return
                head += more
            line = head.partition(b"\r\n")[0].decode()
            self.asked.append(line)
            if self._login and f"Proxy-Authorization: Basic {self._login}".encode() not in head:
                client.sendall(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")
            elif self.refusal:
                client.sendall(self.refusal)
            else:
                self._pass_on(client, line, head)

    def _pass_on(self, client: socket.socket, line: str, head: bytes) -> None:
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), 10) as server:
                client.sendall(b"HTTP/1.1 200 Here you are\r\n\r\n")
                join(client, server)
            return
        parts = urlsplit(target)
        path = target.partition(parts.netloc)[2]
        with socket.create_connection((parts.hostname or "", parts.port or 80), 10) as server:
            server.sendall(head.replace(target.encode(), path.encode(), 1))
            join(client, server)


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either says, until one of them has ended."""

    def flow(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=flow, args=(other, one), daemon=True)
    back.start()
    flow(one, other)
    back.join(20)
