"""Starts service, playground and dashboard, and ends all when one of them does or somebody says so."""

import ipaddress
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from app.playground.courier import open_session
from app.porch.errors import GuerdonError
from app.terminal import tell

PATIENCE_STARTING = 180.0  # seconds, on a machine that is busy; who has ended is noticed at once
PATIENCE_ENDING = 35.0  # seconds; gunicorn gives requests in hand 30
PAUSE = 0.1  # seconds between looks


class Ending:
    """Whether Ctrl-C or SIGTERM has come; from its creation on they only set this."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self.is_asked = True


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def start(command: str) -> "subprocess.Popen[bytes]":
    """A command of guerdon in our process group, so that a terminal's Ctrl-C reaches all."""
    # But until they listen to it themselves, they leave Ctrl-C to us, who end them.
    words = [sys.executable, "-P", "-m", "app.cli", command]
    return subprocess.Popen(words, preexec_fn=ignore_interrupts)  # noqa: PLW1509, S603


class Children:
    """Commands of guerdon, each a process, that live and end together."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._running = {name: start(name) for name in commands}

    def find_ended(self) -> str | None:
        """The command that ended first, and its exit code, in words; None while all live."""
        for name, child in self._running.items():
            if child.poll() is not None:
                return f"guerdon {name} ended with exit code {child.returncode}"
        return None

    def hang_up(self, name: str) -> None:
        """Have a command read its config anew, as SIGHUP does."""
        self._running[name].send_signal(signal.SIGHUP)

    def restart(self, name: str) -> None:
        """End a command, and start it anew."""
        self._running[name].terminate()
        self._running[name].wait(PATIENCE_ENDING)
        self._running[name] = start(name)

    def end(self) -> None:
        """Ask all to finish and wait for it; who takes too long is killed."""
        for child in self._running.values():
            child.terminate()
        deadline = time.monotonic() + PATIENCE_ENDING
        for child in self._running.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def leave_alone(children: Children) -> None:
    """Nothing is restarted."""


def run_together(
    commands: Sequence[str],
    addresses: Sequence[str],
    welcome: str,
    look: Callable[[Children], None] = leave_alone,
) -> None:
    """Run the commands until Ctrl-C or SIGTERM; `welcome` is printed when all `addresses` answer.

    `look` is called again and again from then on, and may restart some of them. Raises GuerdonError when
    one of the commands ends by itself; the others are ended then, too.
    """
    ending = Ending()
    children = Children(commands)
    unanswered, deadline = list(addresses), time.monotonic() + PATIENCE_STARTING
    try:
        while not ending.is_asked:
            if ended := children.find_ended():
                time.sleep(PAUSE)  # Ctrl-C reaches us all at once; ours may be noticed last
                if not ending.is_asked:
                    raise GuerdonError(ended)
            if unanswered:
                unanswered = [address for address in unanswered if not does_answer(address)]
                if not unanswered:
                    tell(*welcome.split("\n"))
                elif time.monotonic() > deadline:
                    raise GuerdonError(f"no answer from {', '.join(unanswered)}")
            else:
                look(children)
            time.sleep(PAUSE)
    finally:
        children.end()


def wait_for_answer(address: str) -> None:
    """Until it answers, as long as a start may take at most."""
    deadline = time.monotonic() + PATIENCE_STARTING
    while not does_answer(address) and time.monotonic() < deadline:
        time.sleep(PAUSE)


def does_answer(address: str) -> bool:
    try:
        with open_session() as session:
            return session.get(address, timeout=5).status_code == 200
    except OSError:
        return False


def split_bind(bind: str) -> tuple[str, int]:
    """Host and port of HOST:PORT as gunicorn takes it. Raises GuerdonError for anything else."""
    host, _, port = bind.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or "/" in host:
        raise GuerdonError(f"{bind!r} is not HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - gunicorn's meaning of :PORT


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def format_address(bind: str) -> str:
    """The http address at which this machine reaches a bind; everywhere includes loopback."""
    host, port = split_bind(bind)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_free(bind: str, variable: str) -> None:
    """Raise GuerdonError if somebody listens there already: we would greet in their name."""
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise GuerdonError(
                f"cannot listen on {bind}: {error.strerror}; see {variable}"
            ) from None
