"""The stage's own process: a Guerdon pays into one database a process, and the playground has another.

It does what the playground asks for through a pipe, one thing after the other, until that is closed: also
where the playground was killed. Its database lies in a folder that is removed then.
"""

import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from app.config.reading import read_config
from app.playground.performance import Performance
from app.playground.sections import dump, write_config
from app.porch.errors import ConfigError, GuerdonError

NOWHERE = "http://127.0.0.1:9"  # nothing that is sent leaves for anybody
EXAMPLE = Path(__file__).with_name("static") / "programme.toml"
PLUGINS_OF_EXAMPLE = ("gold", "items", "roles")
DATABASE = "stage.db"


def main() -> None:
    """Serve the pipe of this file descriptor: first the order to open, then orders of what to do."""
    connection = Connection(int(sys.argv[1]))
    with (
        suppress(EOFError, ConnectionError),  # the playground has ended
        tempfile.TemporaryDirectory(prefix="guerdon-stage-") as folder,
    ):
        try:
            performance = open_performance(Path(folder), **connection.recv())
        except GuerdonError as error:
            connection.send({"faults": list_faults(error)})
            return
        connection.send({"answer": None, "faults": []})
        with closing(performance):
            while True:
                what, wishes = connection.recv()
                connection.send(answer(getattr(performance, what), wishes))


def answer(do: Callable[..., Any], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """What came of it: `answer`, or `faults`, a sentence each."""
    try:
        return {"answer": do(**wishes), "faults": []}
    except GuerdonError as error:
        return {"faults": list_faults(error)}


def list_faults(error: GuerdonError) -> list[str]:
    return list(error.faults) if isinstance(error, ConfigError) else [str(error)]


def open_performance(folder: Path, config: Path | None, begin: date) -> Performance:
    """The rules of a config, or the example's where there is none, on an empty database in this folder.

    Raises ConfigError with the faults of the config, GuerdonError for a day too far off.
    """
    path = write_example(folder) if config is None else copy_config(config, folder)
    try:
        performance = Performance(path, begin)
    except ConfigError as error:
        raise ConfigError(
            [fault.replace(str(path), str(config)) for fault in error.faults]
        ) from None
    # What waits is told on the page; what fails is a plugin's author's to see.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return performance


def copy_config(config: Path, folder: Path) -> Path:
    """A copy of a config that pays into this folder, and asks and tells nobody."""
    return write_config(read_config(config)[0], NOWHERE, folder / DATABASE)


def write_example(folder: Path) -> Path:
    """A config of the example programme, with our own plugins alone."""
    tables: Mapping[str, Any] = {
        "database": {"url": f"sqlite:///{folder / DATABASE}"},
        "studio": {"plugins": str(folder / "plugins")},  # none
        "rewards": {"file": str(EXAMPLE)},
        "network": {"only_to": [NOWHERE]},
        "plugins": {name: {} for name in PLUGINS_OF_EXAMPLE},
    }
    path = folder / "stage.toml"
    path.write_text("".join(f"{dump(key)} = {dump(value)}\n" for key, value in tables.items()))
    return path


if __name__ == "__main__":
    main()
