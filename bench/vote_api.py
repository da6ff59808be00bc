"""The vote API's stand-in: each id is a vote of one of PLAYERS players. Prints its port.

It answers after a delay that costs no CPU; `GET /delay/0.05` sets it, in seconds. Who keeps his
connection keeps it; who asks for its end, or speaks HTTP/1.0, has it closed after the answer. It is
a bare loop over sockets, because PHP makes a connection a vote and must not wait for this process.
"""

import heapq
import json
import re
import select
import socket
import sys
import time
import zlib

# How the id of a vote ends that is for the server whose pool of codes is empty.
OF_EMPTY_POOL = "c0dec0de"
CLOSE = re.compile(rb"\r\nconnection: *close|^[^\r]* HTTP/1\.0(\r|$)", re.IGNORECASE)


class VoteApi:
    def __init__(self, players: int) -> None:
        self.players = players
        self.delay = 0.0  # seconds
        self.connections: dict[int, socket.socket] = {}
        self.buffers: dict[int, bytes] = {}  # of requests that came in part
        self.due: list[tuple[float, int, socket.socket, bytes, bool]] = []
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        # A connection is taken with its request, and mostly answered without a look in between.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        self.poll = select.epoll()
        self.poll.register(self.listener, select.EPOLLIN)

    def serve(self) -> None:
        while True:
            pause = max(self.due[0][0] - time.monotonic(), 0) if self.due else None
            for number, _ in self.poll.poll(pause):
                if number == self.listener.fileno():
                    self.accept()
                else:
                    self.read(self.connections[number])
            while self.due and self.due[0][0] <= time.monotonic():
                self.answer(*heapq.heappop(self.due)[2:])

    def accept(self) -> None:
        """Take all that are there. One that is read to its end at once is never watched."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections[connection.fileno()] = connection
            if self.read(connection):
                self.poll.register(connection, select.EPOLLIN)

    def read(self, connection: socket.socket) -> bool:
        """Take what came; False where nothing more will."""
        number = connection.fileno()
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        if not data:
            self.close(connection)
            return False
        data = self.buffers.pop(number, b"") + data
        while b"\r\n\r\n" in data:
            head, _, data = data.partition(b"\r\n\r\n")
            if self.take_request(connection, head):
                return False
        if data:
            self.buffers[number] = data
        return True

    def take_request(self, connection: socket.socket, head: bytes) -> bool:
        """Answer now or later; whether the connection ends with it."""
        path = head.split(b" ", 2)[1].decode()
        is_last = CLOSE.search(head) is not None
        if path.startswith("/delay/"):
            self.delay = float(path.removeprefix("/delay/"))
            self.answer(connection, b"{}", is_last)
        elif self.delay:
            self.count += 1
            due = time.monotonic() + self.delay
            heapq.heappush(self.due, (due, self.count, connection, self.make_vote(path), is_last))
        else:
            self.answer(connection, self.make_vote(path), is_last)
        return is_last

    def make_vote(self, path: str) -> bytes:
        """The API's answer; the vote's id alone decides whose it is."""
        id = path.rpartition("/")[2]
        nickname = f"player{zlib.crc32(id.encode()) % self.players}"
        server = 2 if id.endswith(OF_EMPTY_POOL) else 1
        vote = {"id": id, "nickname": nickname, "server": {"id": server}, "user": {"id": 7}}
        return json.dumps({"response": vote}).encode()

    def answer(self, connection: socket.socket, body: bytes, is_last: bool) -> None:
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b"
        )
        end = b"Connection: close\r\n" if is_last else b""
        try:
            connection.send(head % (len(body), end, body))  # far less than a socket's buffer
        except OSError:  # it was closed meanwhile
            is_last = True
        if is_last:
            self.close(connection)

    def close(self, connection: socket.socket) -> None:
        self.connections.pop(connection.fileno(), None)
        self.buffers.pop(connection.fileno(), None)
        connection.close()  # which also ends that it is watched


if __name__ == "__main__":
    api = VoteApi(int(sys.argv[1]))
    print(api.listener.getsockname()[1], flush=True)
    api.serve()
