"""The keys of a rule as TOML tables, checked: unknown words are errors, never defaults."""

import re
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from app.config.checking import StrictSchema, suggest
from app.rules.calendar import Unit
from app.rules.keys import (
    Count,
    Counted,
    Limit,
    Marks,
    Party,
    Payees,
    Ranking,
    Streak,
    Ties,
)

LARGEST = 10**9
MOST_MARKS = 1000
CALENDAR_LIMIT = re.compile(r"([0-9]{1,15}) (?:per )?([a-z]+)")
ELAPSED_LIMIT = re.compile(r"([0-9]{1,9}) per ([0-9]{1,6}) (hours?|minutes?)")
MS = {"hour": 3_600_000, "minute": 60_000}
LONGEST_WINDOW = 366 * 24 * 3_600_000  # ms


def whole(least: int = 1, **more: Any) -> fields.Integer:
    """A whole number, and no text or fraction of one."""
    words = f"must be a whole number of at least {least}"
    return fields.Integer(
        strict=True, validate=validate.Range(least, LARGEST, error=words),
        error_messages={"invalid": words}, **more,
    )  # fmt: skip


class WordField(fields.Field[Any]):
    """One of a few words; it becomes the member of its StrEnum."""

    def __init__(self, words: Any, **more: Any) -> None:
        self._words = {str(word): word for word in words}
        super().__init__(**more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and value in self._words:
            return self._words[value]
        known = ", ".join(self._words)
        raise ValidationError(f"must be of {known}{suggest(str(value), self._words)}")


class AtField(fields.Field[tuple[int, ...]]):
    """A number, or a list of numbers; they are sorted."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[int, ...]:
        values = value if isinstance(value, list) else [value]
        is_right = all(type(one) is int and 0 < one <= LARGEST for one in values)
        if not values or not is_right or len(values) > MOST_MARKS:
            raise ValidationError("must be a whole number of at least 1, or a list of them")
        if len(set(values)) < len(values):
            raise ValidationError("has a number twice")
        return tuple(sorted(values))


class TableField(fields.Nested):
    """A table that becomes a value; `make` says how."""

    schema_class: ClassVar[type[StrictSchema]]

    def __init__(self) -> None:
        super().__init__(self.schema_class)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        return self.make(super()._deserialize(*args, **kwargs))

    def make(self, said: dict[str, Any]) -> Any:
        raise NotImplementedError


def read_marks(said: dict[str, Any]) -> Marks:
    """`at` or `every`, of which a table has one."""
    if ("at" in said) == ("every" in said):
        raise ValidationError("says either at, as [50, 100], or every, as 25")
    return Marks(said.get("at", ()), said.get("every", 0))


class CountSchema(StrictSchema):
    at = AtField()
    every = whole()
    unit = WordField(Unit, data_key="in", load_default=Unit.EVER)
    of = WordField(Counted, load_default=Counted.VOTES)


class CountField(TableField):
    """`count = { every = 25 }`"""

    schema_class = CountSchema

    def make(self, said: dict[str, Any]) -> Count:
        return Count(read_marks(said), said["unit"], said["of"])


class StreakSchema(StrictSchema):
    at = AtField()
    every = whole()
    unit = WordField((Unit.DAY, Unit.WEEK, Unit.MONTH), data_key="in", load_default=Unit.DAY)
    votes = whole(load_default=1)
    may_miss = whole(0, load_default=0)


class StreakField(TableField):
    """`streak = { every = 7, in = "day", may_miss = 1 }`"""

    schema_class = StreakSchema

    def make(self, said: dict[str, Any]) -> Streak:
        return Streak(read_marks(said), said["unit"], said["votes"], said["may_miss"])


class PartySchema(StrictSchema):
    every = whole(required=True)
    unit = WordField(Unit, data_key="in", load_default=Unit.EVER)
    to = WordField(Payees, load_default=Payees.VOTERS)


class PartyField(TableField):
    """`party = { every = 50, to = "voters" }`"""

    schema_class = PartySchema

    def make(self, said: dict[str, Any]) -> Party:
        if said["every"] > 100_000:
            raise ValidationError("every is at most 100000: a round is paid in one commit")
        return Party(said["every"], said["unit"], said["to"])


RANKED = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR, Unit.SEASON)
LAST_PLACE = 10_000


class RankingSchema(StrictSchema):
    unit = WordField(RANKED, data_key="in", required=True)
    place = fields.Raw(load_default=1)
    ties = WordField(Ties, load_default=Ties.SHARE)


class RankingField(TableField):
    """`ranking = { in = "month", place = [2, 10], ties = "first" }`"""

    schema_class = RankingSchema

    def make(self, said: dict[str, Any]) -> Ranking:
        place = said["place"]
        first, last = place if isinstance(place, list) and len(place) == 2 else (place, place)
        numbers = all(type(one) is int and 0 < one <= LAST_PLACE for one in (first, last))
        if not numbers or first > last:
            raise ValidationError("place is a number, as 1, or two, as [2, 10], both included")
        return Ranking(said["unit"], first, last, said["ties"])


class LimitSchema(StrictSchema):
    player = fields.String()
    everybody = fields.String(data_key="all")


class LimitField(TableField):
    """`limit = { player = "1 per day", all = "500 per month" }`"""

    schema_class = LimitSchema

    def make(self, said: dict[str, Any]) -> tuple[Limit, ...]:
        if not said:
            raise ValidationError('limits nothing: say player or all, as "1 per day"')
        names = (("player", False), ("everybody", True))
        return tuple(read_limit(said[name], for_all) for name, for_all in names if name in said)


def read_limit(text: str, for_all: bool) -> Limit:
    """The limit of "1 per day", "1 per 12 hours" or "100 ever". Raises ValidationError."""
    key = "all" if for_all else "player"
    if found := ELAPSED_LIMIT.fullmatch(text):
        length = int(found[2]) * MS[found[3].removesuffix("s")]
        if int(found[1]) and 0 < length <= LONGEST_WINDOW:
            return Limit(int(found[1]), for_all, length=length, text=text)
    elif (found := CALENDAR_LIMIT.fullmatch(text)) and found[2] in list(Unit) and int(found[1]):
        return Limit(int(found[1]), for_all, Unit(found[2]), text=text)
    units = ", ".join(Unit)
    raise ValidationError(
        f'{key} must be as "1 per day" (of {units}), or "1 per 12 hours"; it is "{text[:40]}"'
    )
