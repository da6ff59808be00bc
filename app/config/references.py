"""Paths in a config, of { file = "PATH" } and of a SQLite file: each begins at the config's folder,
wherever Guerdon is started.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.config.checking import read_toml
from app.porch.errors import ConfigError

KEYS = {"file", "default", "name"}  # of a reference to a file
SQLITE = "sqlite:///"
HOLDERS = ("plugins",)  # tables of sections, each of which is a table and no reference


def read_tables(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The tables of the config at `path`, its references made whole; and a warning for each odd one.

    Raises ConfigError where it is no TOML.
    """
    tables, warnings = read_toml(path), list[str]()
    for place, section in list_sections(tables):
        for key, value in section.items():
            section[key] = resolve(value, path.parent, f"[{place}] {key}", warnings)
    return tables, warnings


def list_sections(tables: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in tables.items():
        if isinstance(table, dict) and name in HOLDERS:
            inner = [(f"{name}.{key}", one) for key, one in table.items() if isinstance(one, dict)]
            yield from inner
        elif isinstance(table, dict):
            yield name, table


def resolve(value: Any, folder: Path, place: str, warnings: list[str]) -> Any:
    """A value of the config with the path of each reference in it joined to the config's folder."""
    if isinstance(value, list):
        return [resolve(one, folder, place, warnings) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("file"), str) and set(value) <= KEYS:
        return value | {"file": str(find_file(value["file"], folder, place, warnings))}
    return {key: resolve(one, folder, place, warnings) for key, one in value.items()}


def find_file(name: str, folder: Path, place: str, warnings: list[str]) -> Path:
    """Where a reference leads; one that begins where Guerdon was started is still found, with a warning."""
    path = folder / name
    if not path.exists() and Path(name).exists():
        warnings.append(
            f"{place}: the file {name} is found only because Guerdon was started beside it;"
            f" paths begin at the config's folder, so write {Path(name).absolute()}"
        )
        return Path(name).absolute()
    return path.absolute()


def place_database(url: str, folder: Path) -> str:
    """The URL of a SQLite file with its path joined to a folder; any other as it is.

    Raises ConfigError where such a file lies only where Guerdon was started: a new one would be empty, and
    what the old one says was paid would be paid again.
    """
    name = url.removeprefix(SQLITE)
    if name == url or not name or name.startswith((":", "/")) or "\0" in name:
        return url
    path, started = (folder / name).resolve(), Path(name).resolve()
    if started != path and os.path.isfile(started) and not os.path.exists(path):
        raise ConfigError([
            f"[database] url: paths begin at the config's folder, and there is no {path}, but there is"
            f' {started}: to go on with it write url = "{SQLITE}{started}"'
        ])  # fmt: skip
    return f"{SQLITE}{path}"
