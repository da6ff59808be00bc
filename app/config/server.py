"""The section [server]: what stands in front of the service."""

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from app.config.dashboard import AddressField
from app.config.sections import SectionSchema

UNIX = "unix"  # whoever is connected by a socket in the file system


@dataclass(frozen=True)
class Server:
    """Proxies that say truly from whom they have a request: addresses, networks, UNIX."""

    trusted_proxies: tuple[str, ...] = ()


class ProxyField(AddressField):
    """An address, a network, or "unix"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return UNIX if value == UNIX else super()._deserialize(value, attr, data, **kwargs)


class ServerSchema(SectionSchema):
    makes = Server
    trusted_proxies = fields.List(ProxyField(), validate=validate.Length(max=100))
