"""What `guerdon run --reload` does: what changed is checked first, and taken over only where it is well."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from watchfiles import Change, watch

from app.config.reading import Config, read_config
from app.playground.processes import Children, wait_for_answer
from app.playground.sections import write_config
from app.playground.site_sections import Ports
from app.porch.errors import ConfigError, GuerdonError
from app.terminal import tell

ENDINGS = (".py", ".toml")
DEBOUNCE = 300  # ms in which changes are one
CHECKS = ("migrate", "check")
UP_TO_DATE = "the tables are up to date"


class Changes:
    """Notes, in a thread of its own, which files of a studio change."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._queue: SimpleQueue[list[str]] = SimpleQueue()
        self._over = threading.Event()
        self._folders = [folder for folder in folders if folder.is_dir()]
        threading.Thread(target=self._watch, name="changes", daemon=True).start()

    def take(self) -> list[str]:
        """The names of the files that changed since it was asked last."""
        try:
            return self._queue.get_nowait()
        except Empty:
            return []

    def stop(self) -> None:
        """Watch no longer."""
        self._over.set()

    def _watch(self) -> None:
        for changes in watch(
            *self._folders, watch_filter=is_ours, debounce=DEBOUNCE, stop_event=self._over
        ):
            self._queue.put(sorted({Path(path).name for _, path in changes}))


def is_ours(change: Change, path: str) -> bool:
    """Whether a file is code, config or rules: an editor's own and compiled ones are not."""
    name = Path(path).name
    return name.endswith(ENDINGS) and not name.startswith(".")


class Reloading:
    """Takes over what changed in a studio's folder, into the copy of its config that is served."""

    def __init__(self, config: Config, served: Path, address: str, ports: Ports) -> None:
        """`served`: the copy, beside its database; `address`, `ports`: of the playground's stand-ins."""
        self._path = config.path
        self._served = served
        self._address = address
        self._ports = ports
        self._changes = Changes([config.plugins_folder, config.path.absolute().parent])

    def look(self, children: Children) -> None:
        """Where something has changed: check it, and restart what runs if it is well."""
        if names := self._changes.take():
            faults = self._prepare()
            if faults:
                tell("", f"not reloaded after {', '.join(names)}; what runs goes on:", *faults)
                return
            children.hang_up("serve")
            children.hang_up("dashboard")
            children.restart("playground")
            wait_for_answer(self._address)
            tell("", f"reloaded after {', '.join(names)}")

    def stop(self) -> None:
        self._changes.stop()

    def _prepare(self) -> list[str]:
        """Put a new copy in the place of the one that is served; why not, where it is at fault."""
        candidate = self._served.with_name(f"next-{self._served.name}")
        try:
            config, _ = read_config(self._path)  # its faults are told of the copy
            database = self._served.with_suffix(".db")
            write_config(config, self._address, database, candidate, self._ports)
        except ConfigError as error:
            return list(error.faults)
        except GuerdonError as error:
            return [str(error)]
        for command in CHECKS:
            done = run_command(command, candidate)
            if done.returncode:
                faults = done.stderr.strip().splitlines()
                return [line.replace(str(candidate), str(self._path)) for line in faults]
            if command == "migrate" and done.stdout.strip() != UP_TO_DATE:
                tell("", *done.stdout.splitlines())  # what was done to the playground's tables
        candidate.replace(self._served)
        return []


def run_command(command: str, config: Path) -> subprocess.CompletedProcess[str]:
    """A command of guerdon's, done with a config."""
    return subprocess.run(  # noqa: S603  (nobody else chooses its words)
        [sys.executable, "-P", "-m", "app.cli", command], check=False, capture_output=True, text=True,
        env=os.environ | {"GUERDON_CONFIG": str(config)},
    )  # fmt: skip
