"""What a file of rules says beside its rules: the calendar, and budgets over all of them."""

from contextlib import suppress
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, post_load, validate

from app.config.checking import StrictSchema
from app.rules.calendar import WEEKDAYS, Calendar, Unit
from app.rules.keys import LARGEST, UNITS_PER_ONE, Budget
from app.rules.rule_keys import WordField
from app.rules.when import ClockField

BUDGET_UNITS = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR, Unit.EVER)


class ZoneField(fields.Field[ZoneInfo]):
    """A time zone by its IANA name, as Europe/Berlin."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> ZoneInfo:
        with suppress(OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            if isinstance(value, str) and value:
                return ZoneInfo(value)
        raise ValidationError(
            f'"{str(value)[:40]}" is no time zone: write one of the IANA, as "Europe/Berlin"'
        )


class CalendarSchema(StrictSchema):
    time_zone = ZoneField()
    day_starts = ClockField()
    week_starts = WordField(WEEKDAYS)

    @post_load
    def make(self, said: dict[str, Any], **kwargs: Any) -> Calendar:
        usual = Calendar()
        return Calendar(
            said.get("time_zone", usual.zone),
            said.get("day_starts", usual.day_starts),
            WEEKDAYS.index(said.get("week_starts", WEEKDAYS[0])),
        )


class BudgetSchema(StrictSchema):
    name = fields.String(required=True, validate=validate.Length(min=1, max=255))
    reward = fields.String(required=True)
    sum = fields.String(required=True)
    at_most = fields.String(required=True)

    @post_load
    def make(self, said: dict[str, Any], **kwargs: Any) -> Budget:
        most, unit = read_cap(said["at_most"])
        return Budget(said["name"], said["reward"], said["sum"], most, unit, said["at_most"])


def read_cap(text: str) -> tuple[Decimal, Unit]:
    """The amount and period of "1000000.00 per month". Raises ValidationError for anything else."""
    amount, _, unit = text.replace(" per ", " ", 1).partition(" ")
    with suppress(ArithmeticError):
        most = Decimal(amount)
        if unit in list(BUDGET_UNITS) and most.is_finite() and most > 0:
            exact = most * UNITS_PER_ONE
            if exact == exact.to_integral_value() and exact < LARGEST:
                return most, Unit(unit)
    units = ", ".join(BUDGET_UNITS)
    raise ValidationError(f'must be as "1000000.00 per month" (of {units})', "at_most")
