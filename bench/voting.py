"""A list that votes by Votifier's port: `python -m bench.voting PORT FIRST AT_ONCE SECONDS`.

Each vote is a connection, a challenge, a signed answer and an "ok"; so many at once. FIRST is the number of
the first one. It prints what came of it as JSON.
"""

import asyncio
import json
import struct
import sys
import time
from contextlib import suppress
from itertools import count
from statistics import median, quantiles

from bench.sites import sign_v2


async def vote(port: int, number: int) -> float:
    """Seconds until it was answered "ok"."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    challenge = (await reader.readline()).decode().split()[2]
    raw = sign_v2(number, challenge)
    writer.write(struct.pack(">HH", 0x733A, len(raw)) + raw)
    said = json.loads(await reader.readline())
    assert said == {"status": "ok"}, said
    writer.close()
    return time.monotonic() - began


async def wait_for(port: int) -> None:
    """Until somebody listens there; a minute at most."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


async def vote_for(port: int, first: int, at_once: int, seconds: float) -> dict[str, float]:
    await wait_for(port)
    numbers, took = count(first), list[float]()
    began = time.monotonic()

    async def go_on() -> None:
        while time.monotonic() < began + seconds:
            took.append(await vote(port, next(numbers)))

    await asyncio.gather(*(go_on() for _ in range(at_once)))
    spent = time.monotonic() - began
    return {
        "requests": len(took), "seconds": round(spent, 3),
        "median_ms": round(1000 * median(took), 2),
        "p99_ms": round(1000 * quantiles(took, n=100)[98], 2),
    }  # fmt: skip


if __name__ == "__main__":
    port, first, at_once = map(int, sys.argv[1:4])
    said = asyncio.run(vote_for(port, first, at_once, float(sys.argv[4])))
    sys.stdout.write(json.dumps(said) + "\n")
