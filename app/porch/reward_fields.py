"""Fields for the parameters of rewards."""

import re
from typing import Any

from marshmallow import fields, validate

TRIMMED = validate.Regexp(
    r"^\S(.*\S)?\Z",
    re.DOTALL,
    error="must not begin or end with a space: databases differ on those",
)


class RewardName(fields.String):
    """The name of an item, a role, a pool: MariaDB takes "coin" and "coin " for one, SQLite for two."""

    def __init__(self, longest: int = 255, **kwargs: Any) -> None:
        """`longest` in characters."""
        super().__init__(validate=[validate.Length(min=1, max=longest), TRIMMED], **kwargs)
