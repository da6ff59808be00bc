"""Told to end, a process ends: at once while it has nothing in hand, whenever it is told, and how often."""

import gc
import os
import signal
from typing import Any

from gunicorn.workers.base import Worker

ENDINGS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def keep_signals() -> None:
    """No signal is lost around a fork: it waits until whoever gets it has its handlers."""
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS),
        after_in_child=leave_at_once_when_told,
    )


def hear_signals() -> None:
    """A command holds Ctrl-C back while gunicorn is imported: from here on it is heard."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def leave_at_once_when_told() -> None:
    """A worker that is not ready has nothing in hand, and may be importing anything.

    gunicorn would raise SystemExit there, which comes out as a traceback, or swallow the signal that
    comes between the fork and its own handlers, and kill the worker half a minute later.
    """
    for number in ENDINGS:
        signal.signal(number, lambda *_: os._exit(0))
    hear_signals()


class LeavingWorker(Worker):
    """What either kind of worker does that is told to end."""

    def load_wsgi(self) -> None:
        """As gunicorn's. It imports much and leaves little: nobody looks for garbage meanwhile."""
        gc.disable()
        super().load_wsgi()
        gc.enable()

    def init_signals(self) -> None:
        """gunicorn's own signals; but until it is ready, it ends at once."""
        super().init_signals()
        leave_at_once_when_told()

    def finish_when_told(self) -> None:
        """It is ready: from here on, what is in hand is finished first."""
        super().init_signals()

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """As gunicorn's, once: Ctrl-C comes from the terminal and from gunicorn, one within the other."""
        for number in ENDINGS:
            signal.signal(number, lambda *_: None)  # SIG_IGN: an error, where one has just come
        super().handle_quit(sig, frame)
