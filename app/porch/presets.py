"""What is known of many sites in a file beside a plugin, and a section that begins with one of them."""

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, pre_load, validate

ABOUT = ("about", "sure")  # of a preset, what is for people


class PresetSchema(Schema):
    """A table that may say `preset = "NAME"`: what it does not say itself is then as that preset has it.

    `presets` is a file of TOML with a table for each. Those keys of it that are ABOUT are no settings.
    """

    presets: ClassVar[Path]
    preset = fields.String()

    @pre_load
    def fill_in(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict) or "preset" not in data:
            return data
        known = read_presets(self.presets)
        name = str(data["preset"])
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            guess = f'; did you mean "{near[0]}"?' if near else ""
            all_ = ", ".join(known)
            fault = f"is none of {all_}{guess} Leave it out to say all by hand"
            raise ValidationError({"preset": [fault]})
        return {key: one for key, one in known[name].items() if key not in ABOUT} | data


SITE = validate.Regexp(r"[A-Za-z0-9_.-]{1,64}\Z", error="must be of A-Z a-z 0-9 _ . - alone")


class SitesField(fields.Dict):
    """The table of a plugin's sites, `sites.NAME`, each a table of `schema`; there has to be one."""

    def __init__(self, schema: type[Schema], plugin: str) -> None:
        missing = f"is missing: a site is a section [plugins.{plugin}.sites.NAME] of its own"
        super().__init__(
            fields.String(validate=SITE),
            fields.Nested(schema),
            required=True,
            validate=validate.Length(min=1, error=missing),
            error_messages={"required": missing},
        )


@cache
def read_presets(path: Path) -> dict[str, dict[str, Any]]:
    """The presets of a file, by their names, in its order."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
