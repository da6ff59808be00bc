"""How long one small exchange takes by our HTTP client and by others: python -m bench.exchanges [ROUNDS]

A peer on loopback answers 200 with 20 bytes and keeps the connection. Each client makes 3,000 requests a
round, in turn; the figure is the median of the rounds, in microseconds of this process's CPU and of time.
geventhttpclient and pycurl are measured where they are installed.
"""

import multiprocessing
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import urllib3

from app.network.client import Http

REQUESTS = 3000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\n" + b"x" * 20


def serve(listener: socket.socket) -> None:
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65536):
            connection.sendall(ANSWER)


def open_ours(url: str) -> Callable[[], int]:
    http = Http()
    return lambda: http.request("GET", url).status


def open_urllib3(url: str) -> Callable[[], int]:
    pool = urllib3.PoolManager()
    return lambda: int(pool.request("GET", url, retries=False, timeout=5).status)


def open_geventhttpclient(url: str) -> Callable[[], int]:
    from geventhttpclient import HTTPClient  # noqa: PLC0415  (may be missing)

    client = HTTPClient.from_url(url, concurrency=1)

    def ask() -> int:
        response = client.get("/")
        response.read()
        return int(response.status_code)

    return ask


def open_pycurl(url: str) -> Callable[[], int]:
    import pycurl  # noqa: PLC0415  (may be missing)

    curl, parts = pycurl.Curl(), list[bytes]()
    curl.setopt(curl.URL, url)
    curl.setopt(curl.WRITEFUNCTION, parts.append)

    def ask() -> int:
        parts.clear()
        curl.perform()
        return int(curl.getinfo(curl.RESPONSE_CODE))

    return ask


CLIENTS: dict[str, Callable[[str], Callable[[], int]]] = {
    "ours": open_ours,
    "urllib3's pool": open_urllib3,
    "geventhttpclient": open_geventhttpclient,
    "pycurl": open_pycurl,
}


def measure(ask: Callable[[], int]) -> tuple[float, float]:
    """Microseconds of CPU and of time for one request."""
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(REQUESTS):
        assert ask() == 200
    seconds = time.process_time() - cpu, time.perf_counter() - began
    return seconds[0] / REQUESTS * 1e6, seconds[1] / REQUESTS * 1e6


def main(rounds: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    peer = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    peer.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    clients: dict[str, Callable[[], int]] = {}
    for name, open_client in CLIENTS.items():
        with suppress(ImportError):
            clients[name] = open_client(url)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name, ask in clients.items():
            found[name].append(measure(ask))
    print("client               CPU us   time us")
    for name, some in found.items():
        columns: Any = zip(*some, strict=True)
        cpu, took = (statistics.median(column) for column in columns)
        print(f"{name:20} {cpu:7.0f} {took:9.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
