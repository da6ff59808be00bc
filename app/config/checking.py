"""Files and tables checked whole: every fault at once, in our words, each with its place."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from app.porch.errors import ConfigError
from app.porch.fields import name_secrets

UNKNOWN = "Unknown field."  # marshmallow's words


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
        raise ConfigError(
            [place + fault for fault in list_faults(error.messages, schema)]
        ) from None
    name_secrets(loaded)
    return loaded


Place = (
    Schema | fields.Dict | None
)  # what checked a table: a schema, or whatever its keys are called


def list_faults(messages: Any, schema: Place = None, path: tuple[str, ...] = ()) -> Iterator[str]:
    """marshmallow's nested messages, one line each: `[section] key: what is wrong`.

    `schema`, which gave them, knows the key that may have been meant.
    """
    if isinstance(messages, dict):
        for key, inner in messages.items():
            named = () if is_wrapper(key, inner, schema) and path else (str(key),)
            within = find_schema(schema, str(key)) if isinstance(inner, dict) else schema
            yield from list_faults(inner, within, path + named)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            known = list_keys(schema) if message == UNKNOWN else ()
            guess = suggest(path[-1], known) if path else ""
            yield f"{describe_place(path)}{explain(str(message))}{guess}"


def list_keys(schema: Place) -> list[str]:
    """The keys that a table of this schema may have, as they are written."""
    if not isinstance(schema, Schema):
        return []
    return [field.data_key or name for name, field in schema.load_fields.items()]


def find_schema(schema: Place, key: str) -> Place:
    """What checked the table at `key` of this one; a list's places lead nowhere else, nor a Dict's keys."""
    if isinstance(schema, fields.Dict):
        inner = schema.value_field if key == "value" else None
        return inner.schema if isinstance(inner, fields.Nested) else schema
    if schema is None or key.isdigit():
        return schema
    found: Any = next(
        (one for name, one in schema.load_fields.items() if (one.data_key or name) == key), None
    )
    if isinstance(found, fields.List):
        found = found.inner
    if isinstance(found, fields.Dict):
        return found
    return found.schema if isinstance(found, fields.Nested) else None


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "..."?` where one of the known words is near, "" where none is."""
    by_small = {name.casefold(): name for name in known}
    guess = difflib.get_close_matches(word.strip().casefold(), by_small, 1)
    return f'; did you mean "{by_small[guess[0]]}"?' if guess else ""


def is_wrapper(key: Any, inner: Any, schema: Place = None) -> bool:
    """Whether a key of marshmallow's messages is its own word, not a setting of that name."""
    is_setting = inner == [UNKNOWN] or key in list_keys(schema)
    return key == "_schema" or (key in ("value", "key") and not is_setting)


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
        UNKNOWN: "is not a setting we know",
        "Missing data for required field.": "is missing",
        "Not a valid string.": "must be a string",
        "Not a valid boolean.": "must be true or false",
        "Not a valid number.": "must be a number",
        "Not a valid integer.": "must be a whole number",
        "Not a valid list.": "must be a list, in [ ]",
        "Not a valid mapping type.": "must be a table",
        "Invalid input type.": "must be a table",
    }.get(message, message[:1].lower() + message[1:] if message.startswith("Must") else message)
