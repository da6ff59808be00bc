"""[metrics] and [alerts]: what is counted and who may read it; what is told of, and by whom."""

from dataclasses import dataclass, field
from pathlib import Path

from marshmallow import ValidationError, fields, validate, validates_schema

from app.config.api_keys import SHORTEST
from app.config.sections import SectionSchema
from app.porch.fields import ReferableString, Secret, SecretField

NAME = validate.Length(min=1, max=64)
SECONDS = validate.Range(min=30, max=31_536_000)


@dataclass(frozen=True)
class Metrics:
    """Whether processes count, in which folder, and who may read it from elsewhere."""

    on: bool = True
    folder: str = ""
    keys: tuple[Secret, ...] = field(default=(), repr=False)

    def find_folder(self, config: Path) -> Path | None:
        """The folder that is said, which begins at the folder of the config's path; None: the usual."""
        return (config.parent / self.folder).resolve() if self.folder else None


@dataclass(frozen=True)
class Alerts:
    """Which reporter tells what is wrong, which what is wrong with that one, and from when on.

    All but `promo_codes` are seconds.
    """

    reporter: str = ""
    second: str = ""
    repeat: float = 14_400
    vote_waits: float = 900
    report_waits: float = 600
    claim_waits: float = 86_400
    promo_codes: float = 50


class MetricsSchema(SectionSchema):
    makes = Metrics
    on = fields.Boolean(truthy={True}, falsy={False})
    folder = ReferableString(validate=validate.Length(min=1))
    keys = fields.List(SecretField())

    @validates_schema
    def check_keys(self, data: dict[str, list[Secret]], **kwargs: object) -> None:
        for number, key in enumerate(data.get("keys", [])):
            if len(key.reveal()) < SHORTEST:
                fault = f"must have at least {SHORTEST} characters: invent a longer key"
                raise ValidationError({"keys": {number: [fault]}})


class AlertsSchema(SectionSchema):
    makes = Alerts
    reporter = ReferableString(validate=NAME)
    second = ReferableString(validate=NAME)
    repeat = fields.Float(validate=SECONDS)
    vote_waits = fields.Float(validate=SECONDS)
    report_waits = fields.Float(validate=SECONDS)
    claim_waits = fields.Float(validate=SECONDS)
    promo_codes = fields.Float(validate=validate.Range(min=0))

    @validates_schema
    def check_apart(self, data: dict[str, str], **kwargs: object) -> None:
        if "second" in data and "reporter" not in data:
            raise ValidationError("needs `reporter`, whose trouble it tells", "second")
        if "second" in data and data["second"] == data["reporter"]:
            raise ValidationError(
                "is the reporter whose trouble it is to tell: name another, or none", "second"
            )
