"""The keys of [api] keys: who asks /v1, and for what."""

from collections.abc import Iterable
from typing import Any

from marshmallow import ValidationError, fields

from app.porch.fields import Secret, SecretField, find_secret

SCOPES = ("events", "claims", "read", "boards")
BOARDS = ("leaderboards", "goals")  # what a page that anybody may read asks for
SHORTEST = 16  # characters
SHAPE = (
    'takes name, key and scopes, as { name = "lobby", key = { env = "KEY" }, scopes = ["events"] }'
)


class ApiKey(Secret):
    """A secret with the scopes that it opens."""

    __slots__ = ("scopes",)

    def __init__(self, value: str, name: str, scopes: Iterable[str] = SCOPES) -> None:
        super().__init__(value, name)
        self.scopes = frozenset(scopes)

    @property
    def opens(self) -> frozenset[str]:
        """Its scopes, and what they have in them."""
        return self.scopes | ({"boards"} if "read" in self.scopes else set())


class ApiKeyField(fields.Field[ApiKey]):
    """Any form of a secret, for all scopes, or a table of name, key and scopes around one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ApiKey:
        table = value if isinstance(value, dict) and "key" in value else {"key": value}
        if set(table) - {"name", "key", "scopes"}:
            raise ValidationError(SHAPE)
        secret: Any = SecretField().deserialize(table["key"])
        name, scopes = table.get("name", secret.name), table.get("scopes", list(SCOPES))
        if not isinstance(name, str):
            raise ValidationError("name must be a string")
        if not (isinstance(scopes, list) and scopes and all(one in SCOPES for one in scopes)):
            raise ValidationError(f"scopes must be a list of some of {', '.join(SCOPES)}")
        if len(secret.reveal()) < SHORTEST:
            raise ValidationError(f"must have at least {SHORTEST} characters: invent a longer key")
        return ApiKey(secret.reveal(), name, scopes)


def find_key(header: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """The key of an Authorization header, as WSGI hands it over; None for any other text."""
    scheme, _, given = header.partition(" ")
    # WSGI hands the header's bytes over as Latin-1.
    raw = given.strip(" ").encode("latin-1", "replace")
    return find_secret(raw, keys) if scheme.lower() == "bearer" else None


def is_for_boards(path: str) -> bool:
    """Whether this path of /v1 is one that the scope `boards` opens."""
    return path.removeprefix("/v1/").partition("/")[0] in BOARDS and path.startswith("/v1/")


def find_scopes(method: str, path: str) -> frozenset[str]:
    """The scopes that a request to /v1 needs: `read` to look, all of them for what has no name."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return frozenset({"boards" if is_for_boards(path) else "read"})
    room = path.removeprefix("/v1/").partition("/")[0]
    return frozenset({room}) if room in ("events", "claims") else frozenset(SCOPES)
