"""Files and tables checked whole: every fault at once, in our words, each with its place."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError

from app.errors import ConfigError
from app.secret import name_secrets


class StrictSchema(Schema):
    class Meta:
        unknown = RAISE


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError names the file, and the line where it is not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from None


def load_checked(schema: Schema, raw: Any, place: str) -> dict[str, Any]:
    """`raw` through `schema`; ConfigError with one sentence a fault, each beginning with `place`."""
    try:
        loaded: dict[str, Any] = schema.load(raw)
    except ValidationError as error:
        raise ConfigError([place + fault for fault in list_faults(error.messages)]) from None
    name_secrets(loaded)
    return loaded


def list_faults(messages: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """marshmallow's nested messages, one line each: `[section] key: what is wrong`."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            named = () if is_wrapper(key, inner) and path else (str(key),)
            yield from list_faults(inner, path + named)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield f"{describe_place(path)}{explain(str(message))}"


def is_wrapper(key: Any, inner: Any) -> bool:
    """Whether a key of marshmallow's messages is its own word, not a setting of that name."""
    return key == "_schema" or (key in ("value", "key") and inner != ["Unknown field."])


def describe_place(path: tuple[str, ...]) -> str:
    if not path:
        return ""
    keys = [part for part in path if not part.isdigit()]
    index = "".join(f"[{part}]" for part in path if part.isdigit())
    if len(keys) == 1:
        return f"{keys[0]}{index}: "
    return f"[{'.'.join(keys[:-1])}] {keys[-1]}{index}: "


def explain(message: str) -> str:
    """marshmallow's short words in ours."""
    return {
        "Unknown field.": "is not a setting we know",
        "Missing data for required field.": "is missing",
        "Not a valid string.": "must be a string",
        "Not a valid boolean.": "must be true or false",
        "Not a valid number.": "must be a number",
        "Not a valid integer.": "must be a whole number",
        "Not a valid list.": "must be a list, in [ ]",
        "Not a valid mapping type.": "must be a table",
        "Invalid input type.": "must be a table",
    }.get(message, message[:1].lower() + message[1:] if message.startswith("Must") else message)
