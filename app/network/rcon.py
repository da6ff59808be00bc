"""A connection to a game's console by Source RCON: one command at a time, and only its own answer.

A packet is a size, an id, a type and a text, its numbers little-endian. What no library tells is what
matters here: whether a byte of a command can have left before it failed.
"""

import random
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from app.porch.errors import NotSent, OutcomeUnknown
from app.porch.fields import Secret

VALUE, COMMAND, LOGIN_ANSWER, LOGIN = 0, 2, 2, 3
HEAD = struct.Struct("<iii")
SMALLEST, LARGEST = 10, 1 << 16  # bytes that a packet may announce
FULL = 3500  # bytes: an answer's packet that is longer may be the first of several
LONGEST_ANSWER = 1 << 18  # bytes; of more, the rest is not read
MOST_FOREIGN = 100  # packets that are nobody's answer
QUIET = 0.3  # seconds after which a long answer is over, where its end cannot be marked


class RconConnection:
    """One connection, signed in. After any doubt it is closed, so no answer is taken for another's."""

    def __init__(
        self, address: tuple[str, int], password: Secret, timeout: float, any_id: bool = False,
        marks_end: bool = True,
    ) -> None:  # fmt: skip
        """Raises NotSent where nobody is there, or the password is refused. `timeout` in seconds.

        `any_id`: the game answers with other ids than it was asked with. `marks_end`: it answers an
        empty packet, which tells that a long answer is over.
        """
        self._timeout, self._any_id, self._marks_end = timeout, any_id, marks_end
        self._buffer = b""
        self._is_spent = False
        self._id = random.randrange(1, 1 << 30)
        try:
            self._socket = socket.create_connection(address, timeout)
        except OSError as error:
            raise NotSent(f"no connection: {explain(error)}") from None
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._log_in(password)
        except OutcomeUnknown as error:
            self.close()
            raise NotSent(f"not signed in: {error}") from None
        except BaseException:
            self.close()
            raise

    def run(self, command: str, seconds_left: Callable[[], float] | None = None) -> str:
        """The whole answer to a command. NotSent: no byte of it left; OutcomeUnknown: some may have.

        `seconds_left` is asked right before the first byte.
        """
        id = self._next_id()
        left = self._timeout if seconds_left is None else min(self._timeout, seconds_left())
        if left <= 0:
            raise NotSent("it was too late to send it")
        deadline = time.monotonic() + left
        self._send(id, COMMAND, command.encode(), deadline)
        answer = self._await(id, deadline)
        if len(answer) >= FULL:
            answer = self._read_rest(id, answer, deadline)
        return answer.decode("utf-8", "replace")

    def is_quiet(self) -> bool:
        """Whether it is open and nothing has come that nobody asked for."""
        if self._is_spent or self._buffer:
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False  # bytes, or its end

    def close(self) -> None:
        """Hang up."""
        self._is_spent = True
        with suppress(OSError):
            self._socket.close()

    def _log_in(self, password: Secret) -> None:
        id, deadline = self._next_id(), time.monotonic() + self._timeout
        self._send(id, LOGIN, password.reveal().encode(), deadline)
        for _ in range(MOST_FOREIGN):
            found, kind, _ = self._read_packet(deadline)
            if kind == LOGIN_ANSWER:  # before it may come an empty value
                break
        else:
            raise NotSent("it does not answer as RCON does")
        if found == -1:
            raise NotSent("the password is refused", retry_in=60)
        if found != id and not self._any_id:
            raise NotSent("somebody else was signed in: the answer has another id")

    def _next_id(self) -> int:
        self._id = self._id % ((1 << 31) - 2) + 1
        return self._id

    def _send(self, id: int, kind: int, text: bytes, deadline: float) -> None:
        packet = struct.pack("<iii", len(text) + SMALLEST, id, kind) + text + b"\0\0"
        sent = 0
        while sent < len(packet):
            try:
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                sent += self._socket.send(packet[sent:])
            except OSError as error:
                self._is_spent = True
                if not sent:  # the system took none of it
                    raise NotSent(f"the connection failed: {explain(error)}") from None
                raise OutcomeUnknown(f"it broke off while it was sent: {explain(error)}") from None

    def _await(self, id: int, deadline: float) -> bytes:
        """The first packet of the answer to this id."""
        for _ in range(MOST_FOREIGN):
            found, kind, text = self._read_packet(deadline)
            if kind == VALUE and (found == id or self._any_id):
                return text
            self._is_spent = True  # it sends what nobody asked for: not used again
        raise OutcomeUnknown("only answers to others came")

    def _read_rest(self, id: int, answer: bytes, deadline: float) -> bytes:
        """What comes after a full packet, to the end: marked by an empty packet, or by silence."""
        self._is_spent = True  # some games send more after the mark
        mark = self._next_id()
        with suppress(
            NotSent, OutcomeUnknown
        ):  # the command was answered: its rest is not worth much
            if self._marks_end:
                self._send(mark, VALUE, b"", deadline)
            while len(answer) < LONGEST_ANSWER:
                until = deadline if self._marks_end else min(deadline, time.monotonic() + QUIET)
                found, _, text = self._read_packet(until)
                if self._marks_end and found == mark:
                    break
                if found == id or self._any_id:
                    answer += text
        return answer

    def _read_packet(self, deadline: float) -> tuple[int, int, bytes]:
        """Id, type and text of the next packet, however it is cut. Raises OutcomeUnknown for none."""
        while len(self._buffer) < 4:
            self._read_more(deadline)
        size = int.from_bytes(self._buffer[:4], "little", signed=True)
        if not SMALLEST <= size <= LARGEST:
            self._is_spent = True
            raise OutcomeUnknown(f"a packet of {size} bytes came: that is not RCON")
        while len(self._buffer) < size + 4:
            self._read_more(deadline)
        packet, self._buffer = self._buffer[: size + 4], self._buffer[size + 4 :]
        _, id, kind = HEAD.unpack_from(packet)
        return id, kind, packet[HEAD.size :].rstrip(b"\0")

    def _read_more(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            came = self._socket.recv(1 << 16)
        except OSError as error:
            self._is_spent = True
            raise OutcomeUnknown(f"no answer: {explain(error)}") from None
        if not came:
            self._is_spent = True
            raise OutcomeUnknown("no answer: the game hung up")
        self._buffer += came


def explain(error: OSError) -> str:
    """Why, in few words: it is kept and shown."""
    return "it took too long" if isinstance(error, TimeoutError) else error.strerror or "it failed"
