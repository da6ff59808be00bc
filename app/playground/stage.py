"""The stage of the page for programmes: a Guerdon in a process of its own, with a clock that one can turn.

The running service, its ledger and its players are not touched: another database, another process.
"""

import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.porch.errors import GuerdonError
from app.rules.rule import Rules

YOURS, EXAMPLE = "yours", "example"
PROGRAMMES = (YOURS, EXAMPLE)
PATIENCE = 60.0  # seconds for an answer
PATIENCE_STARTING = 180.0  # seconds for the first one, on a machine that is busy
PATIENCE_ENDING = 10.0  # seconds


class Stage:
    """Asks the process, which begins when it is first asked; several tabs ask one after the other."""

    def __init__(self, config: Path, rules: Rules, patience: float = PATIENCE) -> None:
        """The studio's config, and its rules: without a programme in them the example is played at first.

        An answer is waited for `patience` seconds, as where a plugin never ends; only its start may take
        longer.
        """
        self._patience = patience
        self._config = config.absolute()
        self.programme = YOURS if has_programme(rules) else EXAMPLE
        self._begin: date | None = None  # None: today
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self, what: str, **wishes: Any) -> Any:
        """Have the performance do this, by the name of its method; what it answers.

        Raises GuerdonError with what was wrong with a wish, with the faults of the rules, or because the
        process is gone; then the next who asks begins anew.
        """
        with self._lock:
            if self._connection is None:
                self._start()
            return self._exchange((what, wishes), self._patience)

    def start_over(self, programme: str, begin: date | None) -> None:
        """Empty the stage and play one of PROGRAMMES from this day on; its rules are read anew.

        Raises GuerdonError as `ask` does.
        """
        if programme not in PROGRAMMES:
            raise GuerdonError(f"programme: it is one of {', '.join(PROGRAMMES)}")
        with self._lock:
            self._end()
            self.programme, self._begin = programme, begin
            self._start()

    def close(self) -> None:
        """End the process; its database goes with it."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        ours, theirs = Pipe()
        number = theirs.fileno()
        # In a session of its own: a terminal's Ctrl-C is for us, and it ends when we do.
        self._process = subprocess.Popen(  # noqa: S603  (nobody else chooses its words)
            [sys.executable, "-P", "-m", "app.playground.acting", str(number)],
            pass_fds=[number], stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self._connection = ours
        config = self._config if self.programme == YOURS else None
        begin = self._begin or datetime.now(UTC).date()
        try:
            self._exchange({"config": config, "begin": begin}, PATIENCE_STARTING)
        except GuerdonError:
            self._end()
            raise

    def _exchange(self, order: Any, patience: float) -> Any:
        assert self._connection is not None
        try:
            self._connection.send(order)
            if not self._connection.poll(patience):
                raise TimeoutError
            said = self._connection.recv()
        except (EOFError, OSError) as error:  # a TimeoutError is one
            is_late = isinstance(error, TimeoutError)
            self._end(0 if is_late else PATIENCE_ENDING)
            why = f"did not answer within {patience:.0f} s" if is_late else "broke off"
            raise GuerdonError(
                f"the stage {why}, and was emptied: its errors are in the terminal"
            ) from error
        if said["faults"]:
            raise GuerdonError("; ".join(said["faults"]))
        return said["answer"]

    def _end(self, patience: float = PATIENCE_ENDING) -> None:
        """It ends when nobody can ask it any more; one that does not within so many seconds is killed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def has_programme(rules: Rules) -> bool:
    """Whether some rule asks for more than the vote: a count, a streak, a party or a ranking."""
    asked: Sequence[Any] = [
        one for rule in rules.all for one in (rule.count, rule.streak, rule.party, rule.ranking)
    ]
    return any(asked)
