"""Ctrl-C while a command is still being imported ends it at once; Python would print a traceback."""

import signal
import sys
from pathlib import Path

COMMANDS = ("guerdon", "app.cli")


def end_silently() -> None:
    """Have Ctrl-C end this process, if it is one of our commands and nobody has said otherwise."""
    is_ours = any(Path(word).name in COMMANDS for word in sys.orig_argv[1:4])
    if is_ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_in_order() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again, for whoever has something to finish."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


end_silently()
