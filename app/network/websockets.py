"""A WebSocket to a game's console: whether bytes can have left before it failed, and an end to waiting."""

import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from app.porch.errors import NotSent, OutcomeUnknown
from app.porch.fields import Secret

IDLE = 30.0  # seconds after which a connection is not used again: what came meanwhile fills it
BRIEF = 0.5  # seconds to read off what came meanwhile
MOST_LEFT = 10_000  # frames of it
GOOD_BYE = 8  # what kind of frame ends a connection
LARGEST = 1 << 18  # characters of a message; longer ones are no answer


class WebSocketLine:
    """One connection. After any doubt it is closed."""

    def __init__(self, address: str, password: Secret, timeout: float) -> None:
        """Raises NotSent where nobody is there; `timeout` in seconds. The password is the URL's path."""
        try:
            import websocket  # noqa: PLC0415  (an extra: `pip install 'guerdon[webrcon]'`)
        except ImportError:
            raise NotSent("websocket-client is missing: pip install 'guerdon[webrcon]'") from None
        self._used_at = time.monotonic()
        self._is_spent = False
        self._errors: tuple[type[Exception], ...] = (
            websocket.WebSocketException,
            OSError,
            ValueError,
        )
        library: Any = websocket
        self._socket = library.WebSocket()
        try:
            with Watchdog(timeout, self.close):
                url = f"{address}/{quote(password.reveal(), safe='')}"
                self._socket.connect(url, timeout=timeout, http_no_proxy=["*"], redirect_limit=0)
        except self._errors as error:
            self.close()
            raise NotSent(f"no connection: {type(error).__name__}") from None

    def send(self, text: str, left: float) -> None:
        """A message; `left` (seconds) to send it. NotSent: no byte of it left."""
        if left <= 0:
            raise NotSent("it was too late to send it")
        if not self.is_quiet():
            raise NotSent("the game hung up before anything was sent")
        try:
            self._socket.settimeout(left)
            self._socket.send(text)
        except self._errors as error:
            self.close()
            raise OutcomeUnknown(
                f"it broke off while it was sent: {type(error).__name__}"
            ) from None

    def read(self, deadline: float) -> str:
        """The next message, before `deadline` (monotonic). Raises OutcomeUnknown for none."""
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            with Watchdog(left, self.close):  # a message may drip
                self._socket.settimeout(left)
                said = self._socket.recv()
        except self._errors as error:
            self.close()
            raise OutcomeUnknown(f"no answer: {type(error).__name__}") from None
        if not said:
            self.close()
            raise OutcomeUnknown("no answer: the game hung up")
        self._used_at = time.monotonic()
        text = said if isinstance(said, str) else said.decode("utf-8", "replace")
        return text if len(text) <= LARGEST else ""

    def is_quiet(self) -> bool:
        """Whether it is open, and was used lately; what nobody asked for, as chat, is read off it."""
        if self._is_spent or time.monotonic() > self._used_at + IDLE:
            return False
        try:
            return not self._has_more() or self._read_off()
        except self._errors:
            return False

    def _has_more(self) -> bool:
        """Whether something came, or its end. May raise."""
        raw = self._socket.sock
        if raw is None:
            raise ConnectionError
        if hasattr(raw, "pending"):  # TLS cannot peek; what comes there may be TLS's own
            return False
        raw.settimeout(0)
        try:
            raw.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True

    def _read_off(self) -> bool:
        """Until nothing is left; False for a good-bye, or for no end of it. May raise."""
        with Watchdog(BRIEF, self.close):
            for _ in range(MOST_LEFT):
                self._socket.settimeout(BRIEF)
                kind, _message = self._socket.recv_data_frame(True)
                if kind == GOOD_BYE:
                    return False
                if not self._has_more():
                    return True
        return False

    def close(self) -> None:
        """Hang up."""
        self._is_spent = True
        with suppress(Exception):
            self._socket.shutdown()


class Watchdog:
    """Calls `bite` where what is within takes longer than so many seconds."""

    def __init__(self, seconds: float, bite: Any) -> None:
        self._timer = threading.Timer(seconds + 0.05, bite)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
