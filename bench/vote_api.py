"""A vote API that answers at once: as little work a request as Python can do. Prints its port."""

import asyncio
import json
import sys


class Votes(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            id = head.split(b" ", 2)[1].rpartition(b"/")[2].decode()
            vote = {
                "id": id,
                "nickname": f"player{int(id.rpartition('-')[2]) % PLAYERS}",
                "server": {"id": 1},
                "user": {"id": 7},
            }
            body = json.dumps({"response": vote}).encode()
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(body)
                + body
            )


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Votes, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


PLAYERS = int(sys.argv[1])
asyncio.run(serve())
