"""A TCP proxy between us and a server on loopback that does to connections what networks do."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """What befalls a connection that sends certain bytes.

    cut        they are not passed on, and both sides are hung up on
    cut after  they are; the server does it and replies, but we are hung up on instead
    swallow    they are; the reply never comes, nor anything after it, and nobody hangs up
    late       they reach the server after `seconds`; we are hung up on at once
    stall      they are passed on after `seconds`, or when all is calm, and what follows with them
    """

    kind: str
    seconds: float = 0.0


CUT, CUT_AFTER, SWALLOW = Fault("cut"), Fault("cut after"), Fault("swallow")
Weather = Callable[[bytes], Fault | None]


class Proxy:
    """Faults come by script (`cut`, `strike`), by chance (`weather`), or for all (`freeze`, `delay`).

    A frozen proxy accepts and says nothing, like a server that hangs. `delay`, in seconds, makes every
    reply late. What a client sends can be read: MySQL's offer to encrypt it is not passed on.
    """

    def __init__(self, port: int) -> None:
        self.weather: Weather | None = None
        self.delay = 0.0
        self.struck: list[Fault] = []  # what has befallen connections so far
        self._target = ("127.0.0.1", port)
        self._script: list[tuple[bytes, Fault]] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._is_shut = self._falls = False
        self._closing = threading.Event()
        self._calmed = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._run(self._accept)

    def cut(self, at: bytes, *, forwarded: bool, times: int = 1) -> None:
        """Hang up when `at` is sent; if `forwarded`, after the server has done it and replied."""
        self.strike(at, CUT_AFTER if forwarded else CUT, times)

    def strike(self, at: bytes, fault: Fault, times: int = 1) -> None:
        """The next `times` that `at` is sent, this befalls the connection."""
        self._script += [(at, fault)] * times

    @property
    def cuts_left(self) -> int:
        return len(self._script)

    def fall(self, at: bytes, *, forwarded: bool) -> None:
        """As cut(), and from then on it is shut."""
        self._falls = True
        self.cut(at, forwarded=forwarded)

    def shut(self) -> None:
        """Hang up on everybody, and on whoever comes."""
        self._is_shut = True
        self.hang_up_all()

    def open(self) -> None:
        """Whoever comes is served again."""
        self._is_shut = False

    def forget_cuts(self) -> None:
        """None is left, and nothing falls."""
        self._falls = False
        self._script.clear()

    def calm(self) -> None:
        """No more faults: what stalls goes on; what was swallowed stays so."""
        self.weather, self.delay, self._script = None, 0.0, []
        calmed, self._calmed = self._calmed, threading.Event()
        calmed.set()
        self.thaw()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def hang_up_all(self) -> None:
        """Cut every connection there is."""
        for one in self._sockets[:]:
            hang_up(one)

    def close(self) -> None:
        self._closing.set()
        self.calm()
        hang_up(self._listener)
        self.hang_up_all()

    def _run(self, function: Callable[..., None], *args: Any) -> None:
        threading.Thread(target=function, args=args, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._run(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        self._flowing.wait()
        if self._is_shut:
            hang_up(client)
            return
        try:
            server = socket.create_connection(self._target)
        except OSError:  # it is down
            hang_up(client)
            return
        self._sockets.append(server)
        muted, replied = threading.Event(), threading.Event()
        self._run(self._answer, client, server, muted, replied)
        fault = None
        with suppress(OSError):
            while data := client.recv(65536):
                self._flowing.wait()
                fault = self._choose_fault(data)
                if fault == CUT:
                    break
                if fault is not None and fault.kind == "stall":
                    self._calmed.wait(fault.seconds)
                elif fault is not None:
                    muted.set()
                if fault is not None and fault.kind == "late":
                    hang_up(client)
                    self._closing.wait(fault.seconds)
                server.sendall(data)
                if fault is not None and fault.kind in ("cut after", "late"):
                    assert replied.wait(10)
                    break
        if self._falls and fault in (CUT, CUT_AFTER):
            self.shut()
        hang_up(client)
        hang_up(server)

    def _choose_fault(self, data: bytes) -> Fault | None:
        with self._lock:
            scripted = next((one for one in self._script if one[0] in data), None)
            if scripted is not None:
                self._script.remove(scripted)
            fault = scripted[1] if scripted else self.weather(data) if self.weather else None
            if fault is not None:
                self.struck.append(fault)
            return fault

    def _answer(
        self, client: socket.socket, server: socket.socket, muted: Any, replied: Any
    ) -> None:
        with suppress(OSError):
            is_greeting = True
            while data := server.recv(65536):
                data, is_greeting = hide_tls(data) if is_greeting else data, False
                if self.delay:
                    self._closing.wait(self.delay)
                self._flowing.wait()
                if muted.is_set():
                    replied.set()
                else:
                    client.sendall(data)
        if not muted.is_set():
            hang_up(client)


def hide_tls(greeting: bytes) -> bytes:
    """MySQL's first words without its offer of TLS: a flag after version, thread and a challenge."""
    if greeting[3:5] != b"\0\n":  # a first packet, of protocol 10
        return greeting
    flags = greeting.index(0, 5) + 4 + 8 + 2
    return greeting[: flags + 1] + bytes([greeting[flags + 1] & ~0x08]) + greeting[flags + 2 :]


def hang_up(one: socket.socket) -> None:
    with suppress(OSError):  # not connected any more
        one.shutdown(socket.SHUT_RDWR)
    one.close()
