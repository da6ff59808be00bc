"""marshmallow: what may come in through /v1, and what goes out."""

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate


def check_unicode(text: str) -> None:
    """Lone surrogates are fit for JSON's escapes, but for no database."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError("Is not valid Unicode.") from None


ID = validate.And(validate.Length(min=1, max=255), check_unicode)


class LeaseRequest(Schema):
    """POST /v1/claims/lease"""

    class Meta:
        unknown = RAISE

    server_id = fields.String(required=True, validate=ID)
    limit = fields.Integer(strict=True, load_default=10, validate=validate.Range(min=1, max=100))
    seconds = fields.Float(load_default=60, validate=validate.Range(min=1, max=3600))


class ClaimEvent(Schema):
    type = fields.String()
    id = fields.String()


class ClaimAnswer(Schema):
    id = fields.Integer()
    server_id = fields.String()
    nickname = fields.String()
    event = fields.Nested(ClaimEvent)
    payload = fields.Dict()
    lease = fields.String()


class LeaseAnswer(Schema):
    lease = fields.String()
    leased_until = fields.String()
    claims = fields.List(fields.Nested(ClaimAnswer))


class Acknowledgement(Schema):
    """POST /v1/claims/<id>/ack; the body may be left out."""

    class Meta:
        unknown = EXCLUDE

    lease = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(max=64), check_unicode]
    )


class Problem(Schema):
    """application/problem+json, RFC 9457"""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.Dict()
