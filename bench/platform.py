"""A platform that answers every POST in G123's form, after DELAY seconds. Prints its port."""

import asyncio
import sys

BODY = (
    b'{"action": "game_event_created", "id": "1", "token": "fdda6c9f-5745-4adc-9541-c3827d654dfa"}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY), BODY,
)  # fmt: skip
DELAY = float(sys.argv[1])


class Reports(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, rest = self.buffer.partition(b"\r\n\r\n")
            lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n")
                       if line.startswith(b"content-length:")]  # fmt: skip
            if len(rest) < int(lengths[0]):
                return
            self.buffer = rest[int(lengths[0]) :]
            asyncio.get_running_loop().call_later(DELAY, self.transport.write, ANSWER)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Reports, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve())
