"""[reconcile]: how the vote sites' lists are compared with the ledger by itself."""

from dataclasses import dataclass

from marshmallow import fields

from app.config.sections import SectionSchema
from app.porch.durations import DurationField

OFTEN = 60  # seconds; more often would be a burden to the site


@dataclass(frozen=True)
class Reconcile:
    """When, how far back, and whether what is missing is fetched; times in seconds."""

    every: int = 0  # 0: only when a person says so
    heal: bool = False
    window: int = 259_200
    patience: int = 600  # a vote may be so long on its way


class ReconcileSchema(SectionSchema):
    makes = Reconcile
    every = DurationField(OFTEN)
    heal = fields.Boolean(truthy={True}, falsy={False})
    window = DurationField(OFTEN)
    patience = DurationField()
