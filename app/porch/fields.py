"""Fields of settings and of rewards; and a secret: usable, comparable in constant time, never printed."""

import hmac
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from app.porch.text import is_unicode

TRIMMED = validate.Regexp(
    r"^\S(.*\S)?\Z",
    re.DOTALL,
    error="must not begin or end with a space: databases differ on those",
)


IDENTIFIER = validate.Regexp(
    r"^[A-Za-z_][A-Za-z0-9_$]{0,63}\Z", error="must be a plain table or column name"
)


class Secret:
    """One secret and the name it goes by in logs and the ledger."""

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str) -> None:
        self._value = value
        self.name = name

    def reveal(self) -> str:
        """The secret itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    __str__ = __repr__


AnySecret = TypeVar("AnySecret", bound=Secret)


class SecretField(fields.Field[Secret]):
    """A string, {env = "NAME"} or {file = "PATH"}; `name = "..."` beside them names it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Secret:
        if isinstance(value, str):
            text, name = value, ""  # name_secrets finds one
        elif isinstance(value, dict):
            text, name = read_reference(value)
        else:
            raise ValidationError('must be a string, {env = "NAME"} or {file = "PATH"}')
        if not text:
            raise ValidationError("is empty")
        return Secret(text, name)


class ReferableString(fields.String):
    """A string, or {env = "NAME", default = "..."} or {file = "PATH"}; any setting may use it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, dict):
            value = read_reference(value)[0]
        return super()._deserialize(value, attr, data, **kwargs)


class HttpAddress(ReferableString):
    """The address of a service: http or https, a host, perhaps a path, nothing behind it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        address = super()._deserialize(value, attr, data, **kwargs)
        try:
            parts = urlsplit(address)
            is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            is_whole = is_whole and "@" not in parts.netloc  # a password has a setting of its own
        except ValueError:
            is_whole = False
        if not is_whole or "?" in address or "#" in address or not address.isprintable():
            raise ValidationError("must be an address as https://host or https://host/path")
        return address


class ColumnName(ReferableString):
    """The name of a column of the players' table, as a source's user_id_column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=IDENTIFIER, **kwargs)


class RewardName(fields.String):
    """The name of an item, a role, a pool: MariaDB takes "coin" and "coin " for one, SQLite for two."""

    def __init__(self, longest: int = 255, **kwargs: Any) -> None:
        """`longest` in characters."""
        super().__init__(validate=[validate.Length(min=1, max=longest), TRIMMED], **kwargs)


class PlainText(fields.String):
    """A text from outside, 1 to `longest` characters, without control characters, valid Unicode."""

    def __init__(self, longest: int = 255, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(validate=[validate.Length(shortest, longest), check_plain], **kwargs)


def check_plain(text: str) -> None:
    if not is_unicode(text):
        raise ValidationError("is not valid Unicode")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValidationError("holds a control character")


def name_secrets(section: Any, name: str = "secret") -> None:
    """Name the plain strings among the secrets of a loaded section: by key, and number in a list."""
    if isinstance(section, Secret):
        section.name = section.name or name
    elif isinstance(section, dict):
        for key, value in section.items():
            name_secrets(value, str(key))
    elif isinstance(section, list):
        for number, value in enumerate(section, 1):
            name_secrets(value, f"{name.removesuffix('s')} {number}")


def read_reference(reference: dict[str, Any]) -> tuple[str, str]:
    """What an {env} or {file} table points at, and its name; ValidationError says what is missing."""
    unknown = set(reference) - {"env", "file", "default", "name"}
    if unknown or ("env" in reference) == ("file" in reference):
        raise ValidationError('takes {env = "NAME"} or {file = "PATH"}, with "default" and "name"')
    if not all(isinstance(part, str) for part in reference.values()):
        raise ValidationError("env, file, default and name are strings")
    default: str | None = reference.get("default")
    if "env" in reference:
        variable = reference["env"]
        text = read_variable(variable) or default
        if text is None:
            raise ValidationError(f"the environment variable {variable} is not set")
        return text, reference.get("name", variable)
    path = Path(reference["file"])
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if default is None:
            raise ValidationError(f"the file {path} cannot be read: {error}") from None
        text = default
    return text, reference.get("name", path.name)


def read_variable(name: str) -> str | None:
    """A variable's value, or what is in the file that NAME_FILE names; None where neither is set.

    So systemd and containers hand secrets over as files. Raises ValidationError for both, and where
    there is no such file.
    """
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if not path:
        return value
    if value:
        raise ValidationError(f"the environment sets both {name} and {name}_FILE: unset one")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(f"the file {path} of {name}_FILE cannot be read: {error}") from None


def find_secret(given: bytes, secrets: Iterable[AnySecret]) -> AnySecret | None:
    """The one of `secrets` that equals `given`; each is compared, in constant time, over bytes."""
    found = None
    for secret in secrets:
        expected = secret.reveal().encode()
        if hmac.compare_digest(expected, given):
            found = secret
    return found
