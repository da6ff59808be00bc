"""The section [dashboard] of the config: who may look at the service's work, and who may act on it."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.config.sections import ORIGIN, SectionSchema
from app.porch.fields import HttpAddress, PlainText, ReferableString, Secret, SecretField

SHORTEST_KEY = 32  # characters
# What `guerdon dashboard password` prints; always the same cost, so that every sign-in takes as long.
HASH = re.compile(r"scrypt:32768:8:1\$[A-Za-z0-9]{16}\$[0-9a-f]{128}")
HEADER = validate.Regexp(
    r"^[A-Za-z][A-Za-z0-9-]*\Z", error='must be the name of a header, as "Remote-User"'
)


class Role(StrEnum):
    """What a person may do: see everything, or also have things done."""

    LOOK = "look"
    ACT = "act"


@dataclass(frozen=True)
class Person:
    """Who may come in; `password` is a hash of his, None where somebody else asks for it."""

    name: str
    role: Role
    password: Secret | None = field(default=None, repr=False)
    subject: str = ""  # what an OpenID provider calls him


@dataclass(frozen=True)
class Oidc:
    """An OpenID provider that says who somebody is."""

    issuer: str
    client_id: str
    client_secret: Secret = field(repr=False)
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Dashboard:
    """Who comes in, and how; with nobody named it is closed."""

    address: str = ""  # as browsers reach it: with https its cookie is for https alone
    users: tuple[Person, ...] = ()
    proxies: tuple[str, ...] = ()
    user_header: str = ""
    header_users: tuple[Person, ...] = ()
    session_key: Secret | None = None
    oidc: Oidc | None = None

    @property
    def is_open(self) -> bool:
        """Whether anybody may come in."""
        return bool(self.users or self.header_users or self.oidc)

    @property
    def secrets(self) -> list[Secret]:
        """What no log may show."""
        ours = [self.session_key, self.oidc.client_secret if self.oidc else None]
        return [one for one in [*ours, *(user.password for user in self.users)] if one]

    def is_proxy(self, address: str) -> bool:
        """Whether what this address says of others is believed."""
        try:
            asked = ipaddress.ip_address(address)
        except ValueError:
            return False
        asked = getattr(asked, "ipv4_mapped", None) or asked
        return any(asked in ipaddress.ip_network(one) for one in self.proxies)


class AddressField(fields.String):
    """An address, or a network of them, as 10.0.0.0/8."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return str(ipaddress.ip_network(text))
        except ValueError:
            raise ValidationError("must be an address, as 127.0.0.1 or 10.0.0.0/8") from None


class HashField(SecretField):
    """The hash of a password."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Secret:
        secret = super()._deserialize(value, attr, data, **kwargs)
        if not HASH.fullmatch(secret.reveal()):
            raise ValidationError("must be a line that `guerdon dashboard password` has printed")
        return secret


def make_role_field() -> fields.Enum[Role]:
    """A role is always said: nobody acts, or is kept from it, by forgetting a word."""
    return fields.Enum(Role, by_value=True, required=True)


class HeaderUserSchema(SectionSchema):
    makes = Person
    name = PlainText(required=True)
    role = make_role_field()


class UserSchema(HeaderUserSchema):
    password = HashField(required=True)


class OidcPersonSchema(HeaderUserSchema):
    subject = PlainText(required=True)


class OidcSchema(SectionSchema):
    makes = Oidc
    issuer = HttpAddress(required=True)
    client_id = ReferableString(required=True, validate=validate.Length(min=1))
    client_secret = SecretField(required=True)
    people = fields.List(
        fields.Nested(OidcPersonSchema), required=True, validate=validate.Length(min=1)
    )

    @validates_schema
    def check_apart(self, data: dict[str, Any], **kwargs: Any) -> None:
        refuse_twice("people", (one.subject for one in data.get("people", ())))


class DashboardSchema(SectionSchema):
    makes = Dashboard
    address = HttpAddress(validate=ORIGIN)
    users = fields.List(fields.Nested(UserSchema))
    proxies = fields.List(AddressField())
    user_header = fields.String(validate=HEADER)
    header_users = fields.List(fields.Nested(HeaderUserSchema))
    session_key = SecretField()
    oidc = fields.Nested(OidcSchema)

    @validates_schema
    def check_together(self, data: dict[str, Any], **kwargs: Any) -> None:
        for name in ("users", "header_users"):
            refuse_twice(name, (one.name for one in data.get(name, ())))
        if ("user_header" in data) != ("header_users" in data):
            raise ValidationError("wants `header_users` too, and they want it", "user_header")
        if "user_header" in data and not data.get("proxies"):
            raise ValidationError(
                "needs `proxies`: anybody could send that header, and only theirs is believed",
                "user_header",
            )
        if "oidc" in data and "address" not in data:
            raise ValidationError("is missing: the provider sends people back to it", "address")
        key = data.get("session_key")
        if key is not None and len(key.reveal()) < SHORTEST_KEY:
            raise ValidationError(f"must have at least {SHORTEST_KEY} characters", "session_key")


def refuse_twice(key: str, names: Iterable[str]) -> None:
    """Raise ValidationError where two have one name: who it is would be a matter of luck."""
    if twice := list(list_twice(names)):
        raise ValidationError(f'"{twice[0]}" is there twice', key)


def list_twice(names: Iterable[str]) -> Iterator[str]:
    seen = set[str]()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
