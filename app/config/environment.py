"""The file .env of a studio's folder: variables that the environment does not set itself."""

import os
from collections.abc import MutableMapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from app.config.reading import find_folder
from app.porch.errors import ConfigError

NAME = ".env"


def load_environment(config: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what .env in the studio's folder of this config names and the environment leaves out.

    NAME_FILE names a file that holds what NAME would, so one of both is enough.
    Raises ConfigError where there is such a file and it cannot be read.
    """
    folder = find_folder(config)
    if folder.name == "var":  # the copy that `guerdon run` works on
        folder = folder.parent
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    given = {name.removesuffix("_FILE") for name in environment}
    for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items():
        if value is not None and name.removesuffix("_FILE") not in given:
            environment[name] = value
