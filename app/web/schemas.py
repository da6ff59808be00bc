"""marshmallow: what may come in through /v1."""

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

from app.paying.claims import LONGEST_LEASE
from app.porch.text import is_unicode


def say(text: str, **more: Any) -> dict[str, Any]:
    """What a field means, for /openapi.json; `more` are keywords of JSON Schema."""
    return {"metadata": {"description": text, **more}}


def check_unicode(text: str) -> None:
    """A database keeps what has a UTF-8."""
    if not is_unicode(text):
        raise ValidationError("Is not valid Unicode.")


ID: list[Callable[[Any], Any]] = [validate.Length(min=1, max=255), check_unicode]


class LeaseRequest(Schema):
    """POST /v1/claims/lease"""

    class Meta:
        unknown = RAISE

    server_id = fields.String(required=True, validate=ID, **say("whose claims", example="1"))
    limit = fields.Integer(
        strict=True,
        load_default=10,
        validate=validate.Range(min=1, max=100),
        **say("at most so many"),
    )
    seconds = fields.Float(
        load_default=60, validate=validate.Range(min=1, max=LONGEST_LEASE),
        **say("for how long; what is not acknowledged by then is leased again"),
    )  # fmt: skip


class Acknowledgement(Schema):
    """POST /v1/claims/<id>/ack; the body may be left out."""

    class Meta:
        unknown = EXCLUDE

    lease = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(max=64), check_unicode],
        **say("the claim's; without it anybody ends a claim that is leased"),
    )  # fmt: skip


class PlayerQuery(Schema):
    before = fields.Integer(
        validate=validate.Range(1, 2**63 - 1),
        **say("grants older than the one of this id; the next page"),
    )
