"""[database] url taken apart: whatever it is, it becomes a place, or a ConfigError without a password."""

import inspect
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playhouse.db_url import parse

from app.porch.errors import ConfigError

ESCAPES = "write / # ? @ : in the password as %2F %23 %3F %40 %3A"
SHAPE = f"must be mysql://user:password@host:port/name; {ESCAPES}"
BEFORE_THE_NAME = {"user", "password", "passwd", "host", "port"}
# What we have to set ourselves, or what would change what a commit means.
OURS = {"charset", "client_flag", "autocommit", "cursorclass", "conv", "init_command", "sql_mode",
        "use_unicode", "database", "db", "passwd", "defer_connect", "local_infile"}  # fmt: skip


def fail(what: str) -> ConfigError:
    return ConfigError([f"[database] url: {what}"])


def read_scheme(url: str) -> str:
    """The scheme in small letters; raises ConfigError for an address that is none."""
    if not url.isprintable():
        raise fail("holds a character that cannot be printed")
    try:
        return urlsplit(url).scheme
    except ValueError:  # its own message may show a piece of a password
        raise fail(SHAPE) from None


def read_sqlite_path(url: str) -> Path:
    """The file of sqlite:///PATH; its folder is made, for us alone, where it is not there.

    Raises ConfigError for what names no file, or a folder that cannot be.
    """
    rest = url[url.index(":") + 1 :].removeprefix("//").removeprefix("/")
    if not rest or rest == ":memory:":
        raise fail(
            "name a file, as in sqlite:///var/guerdon.db; a database in memory would forget what "
            "is paid"
        )
    path = Path(rest)
    try:
        make_private_folder(path.parent)
        is_folder = path.is_dir()
    except OSError as error:
        raise fail(f"the folder {path.parent} cannot be made: {error.strerror}") from None
    if is_folder:
        raise fail(f"{path} is a folder: name a file in it")
    return path


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those around it that are missing, for this user alone; others stay as they are."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(None, "it is a file")


def make_private_file(path: str) -> None:
    """An empty file for this user alone, where there is none; SQLite's others take its mode.

    What stands in the way of it SQLite meets too, and says so.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def read_mysql_options(url: str, connect: Any) -> dict[str, Any]:
    """What to call PyMySQL's `connect` with, for mysql://user:password@host:port/name?option=value.

    Raises ConfigError for what is no such address, and for an option that is not the driver's.
    """
    try:
        options: dict[str, Any] = parse(
            "mysql" + url[url.index(":") :], unquote_password=True, unquote_user=True
        )
        split = urlsplit(url)
        has_port = split.port is None or split.port > 0
    except (ValueError, IndexError):  # its own message would show a piece of a password
        raise fail(SHAPE) from None
    if "passwd" in options:
        options["password"] = options.pop("passwd")
    if not options.get("database"):
        raise fail("has no database name after the host")
    if not parse_qs(split.query).keys().isdisjoint(BEFORE_THE_NAME):
        raise fail(SHAPE)
    if split.fragment or not has_port or "/" in options["database"]:
        raise fail(SHAPE)
    named = set(inspect.signature(connect).parameters) - OURS
    unknown = sorted(set(options) - named - {"database"})
    if unknown:
        # It is not shown: it may be the rest of a password that holds a ?.
        raise fail(f"behind the ? stands an option that is none of the driver's; {ESCAPES}")
    try:
        connect(**options, defer_connect=True)
    except Exception as error:  # whatever the driver makes of an option's value
        raise fail(f"the driver does not take its options: {type(error).__name__}") from None
    return options
